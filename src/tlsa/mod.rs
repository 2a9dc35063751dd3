//! From the keys that services use to the records that vouch for them: TLSA (RFC 6698, 7671), and by the same means
//! SMIMEA, SSHFP and OPENPGPKEY.
//!
//! [`Material`] is what a certificate or key file holds, parsed from its bytes.
//! [`Association`] is one record's rdata, computed from a material under [`Params`].
//! [`NewKey`] is a private key that is made to come next, with the request for its certificate.
//! [`Verdict`] says whether associations vouch for a chain that a server presents.
//! [`Rollover`] decides, per service, which associations are published and until when.
//!
//! Nothing here knows of paths, clocks, zones or owner names.

pub mod association;
pub mod material;
pub mod new_key;
pub mod openpgp;
pub mod params;
mod private_key;
pub mod rollover;
mod rsa;
#[cfg(test)]
pub(crate) mod sample;
mod self_signed;
pub mod ssh;
mod traefik;
pub mod validity;
pub mod verdict;

pub use association::{Association, AssociationError};
pub use material::{Material, MaterialError};
pub use new_key::{KeyAlgorithm, NewKey, NewKeyError};
pub use params::{Combination, Params, ParamsError};
pub use rollover::Rollover;
pub use validity::Validity;
pub use verdict::{Verdict, verdict};

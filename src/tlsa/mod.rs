//! From the keys that services use to the TLSA records that vouch for them (RFC 6698, 7671).
//!
//! [`Material`] is what a certificate or key file holds, parsed from its bytes.
//! [`Association`] is one TLSA record's rdata, computed from a material under [`Params`].
//! [`Rollover`] decides, per service, which associations are published and until when.
//!
//! Nothing here knows of paths, clocks, zones or owner names.

pub mod association;
mod der;
pub mod material;
pub mod params;
mod pem;
mod private_key;
pub mod rollover;
#[cfg(test)]
mod sample;
mod traefik;
pub mod validity;

pub use association::{Association, AssociationError};
pub use material::{Material, MaterialError};
pub use params::{Params, ParamsError};
pub use rollover::Rollover;
pub use validity::Validity;

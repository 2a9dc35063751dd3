//! How keys and certificates are written down outside DNS: DER, and PEM around it. Imports nothing of ours.

pub(crate) mod der;
pub(crate) mod pem;

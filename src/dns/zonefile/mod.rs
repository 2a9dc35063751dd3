//! stub
use crate::dns::{name::NameRef, rtype::Rtype, time::Ttl};
/// x
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// x
    pub file: u16,
    /// x
    pub line: u32,
    /// x
    pub column: u16,
}
/// x
pub trait Sink {
    /// x
    fn record(&mut self, owner: NameRef<'_>, ttl: Ttl, rtype: Rtype, rdata: &[u8], at: At);
}
/// x
pub fn write_record(_o: NameRef<'_>, _t: Ttl, _r: Rtype, _d: &[u8], _out: &mut String) -> std::fmt::Result {
    Ok(())
}

//! `danelaw lab`: a playground that leaves nothing behind.

use super::args::LabArgs;
use super::exit::{Exit, Failure};
use crate::host::lab::{self, Order};

/// Shows a rollover or a fault; [`Exit::Wrong`] when it did not go as it should.
pub(super) fn lab(args: &LabArgs) -> Result<Exit, Failure> {
    let order = Order { fault: args.fault, keep: args.keep, ttl: args.ttl };
    Ok(if lab::run(order)? { Exit::Done } else { Exit::Wrong })
}

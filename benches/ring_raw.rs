//! What `ring` alone takes to make, and to check, as many signatures as a zone has: the measure for
//! the signer, which cannot be quicker than this.
//!
//! ```text
//! ring_raw 1500004 2            signatures, threads
//! ```
//!
//! Prints three lines of `name seconds`: `sign`; `verify`; and `sign+verify`, which is what a signer
//! does that publishes nothing unchecked. Inputs differ and are as long as those of a typical RRSIG.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and makes random keys")]

use std::process::ExitCode;
use std::time::Instant;

use ring::error::Unspecified;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};

/// RRSIG rdata before the signature, with a signer's name of about ten octets (30), and one A record
/// with an owner of about twenty (34).
const INPUT_LENGTH: usize = 64;
/// Length of a P-256 signature as RFC 6605 has it.
const SIGNATURE_LENGTH: usize = 64;
/// Run without arguments, it only shows that it works.
const DEFAULT_SIGNATURES: usize = 200;

fn main() -> ExitCode {
    // `cargo bench` adds `--bench` to the arguments.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let numbers: Result<Vec<usize>, _> = arguments.iter().map(|argument| argument.parse()).collect();
    let (signatures, threads) = match numbers.as_deref() {
        Ok([]) => (DEFAULT_SIGNATURES, 1),
        Ok(&[signatures, threads]) if threads > 0 => (signatures, threads),
        _ => {
            eprintln!("usage: ring_raw SIGNATURES THREADS");
            return ExitCode::from(2);
        }
    };
    if measure(signatures, threads).is_err() {
        eprintln!("ring_raw: ring refused to sign or to verify");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn measure(signatures: usize, threads: usize) -> Result<(), Unspecified> {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?;
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
        .map_err(|_| Unspecified)?;
    let mut made = vec![[0; SIGNATURE_LENGTH]; signatures];

    let start = Instant::now();
    each(&mut made, threads, |number, signature| {
        signature.copy_from_slice(key.sign(&random, &input(number))?.as_ref());
        Ok(())
    })?;
    let signed = start.elapsed().as_secs_f64();

    // As a validator does it: the key is parsed at every signature.
    let public = key.public_key();
    let start = Instant::now();
    each(&mut made, threads, |number, signature| {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).verify(&input(number), signature)
    })?;
    let verified = start.elapsed().as_secs_f64();

    println!("sign {signed:.3}\nverify {verified:.3}\nsign+verify {:.3}", signed + verified);
    Ok(())
}

/// The octets that signature `number` covers.
fn input(number: usize) -> [u8; INPUT_LENGTH] {
    let mut input = [0x5a; INPUT_LENGTH];
    input[..size_of::<usize>()].copy_from_slice(&number.to_be_bytes());
    input
}

/// Calls `act` with every signature and its number, on so many threads.
fn each(
    made: &mut [[u8; SIGNATURE_LENGTH]],
    threads: usize,
    act: impl Fn(usize, &mut [u8; SIGNATURE_LENGTH]) -> Result<(), Unspecified> + Sync,
) -> Result<(), Unspecified> {
    let share = made.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = made
            .chunks_mut(share)
            .enumerate()
            .map(|(chunk, part)| {
                let act = &act;
                scope.spawn(move || {
                    part.iter_mut()
                        .enumerate()
                        .try_for_each(|(at, signature)| act(chunk * share + at, signature))
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or(Err(Unspecified)))
    })
}

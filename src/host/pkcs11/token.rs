//! Speaking to tokens.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use ring::digest::{self, SHA256, SHA384};
use zeroize::Zeroizing;

use super::TokenError;
use crate::dnssec::key::{Algorithm, Keeper, Unavailable};
use crate::dnssec::token::TokenUri;
use crate::host::files;

/// The libraries that are loaded, by their paths. A library has one state a process, whoever loads it, and a thread
/// that initialises it anew ends the sessions of all others. So there is one user at a time.
static MODULES: Mutex<BTreeMap<String, Module>> = Mutex::new(BTreeMap::new());

/// Who signs with the private key that `uri` names, once it was found there.
pub fn keeper(uri: &TokenUri, algorithm: Algorithm) -> Result<Arc<dyn Keeper>, TokenError> {
    let key = TokenKey { uri: uri.clone(), curve: Curve::of(algorithm)? };
    with_module(uri, |module| module.open(uri).map(drop))?;
    Ok(Arc::new(key))
}

/// The public half of the key that `uri` names, as DNSKEY rdata has it. A key that is not there is made; its private
/// half never leaves the token.
pub fn public(uri: &TokenUri, algorithm: Algorithm) -> Result<Vec<u8>, TokenError> {
    let curve = Curve::of(algorithm)?;
    with_module(uri, |module| found_or_made(&module.session(uri)?, uri, curve))
}

fn found_or_made(session: &Session, uri: &TokenUri, curve: Curve) -> Result<Vec<u8>, TokenError> {
    let at = |error: Error| failed(uri, &error);
    let wanted = [
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(KeyType::EC),
        Attribute::Label(uri.object.clone().into_bytes()),
    ];
    let found = session.find_objects(&wanted).map_err(at)?;
    let key = match found[..] {
        [] => generate(session, uri, curve).map_err(at)?,
        [key] => key,
        _ => return Err(not_one(uri, found.len())),
    };
    let attributes = session.get_attributes(key, &[AttributeType::EcPoint]).map_err(at)?;
    let [Attribute::EcPoint(point)] = &attributes[..] else { return Err(TokenError::Point) };
    // An OCTET STRING of the uncompressed point (PKCS#11 §6.3.3); its length is below 128 for these curves.
    match &point[..] {
        [4, length, 4, key @ ..]
            if usize::from(*length) == key.len() + 1 && key.len() == 2 * curve.octets =>
        {
            Ok(key.to_vec())
        }
        _ => Err(TokenError::Point),
    }
}

fn generate(session: &Session, uri: &TokenUri, curve: Curve) -> Result<ObjectHandle, Error> {
    let label = || Attribute::Label(uri.object.clone().into_bytes());
    let id = || Attribute::Id(uri.object.clone().into_bytes());
    let public = [
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::EcParams(curve.oid.to_vec()),
        label(),
        id(),
    ];
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        label(),
        id(),
    ];
    session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private).map(|(public, _)| public)
}

/// A curve, and what is signed by keys on it.
#[derive(Clone, Copy)]
struct Curve {
    oid: &'static [u8],
    octets: usize,
    digest: &'static digest::Algorithm,
}

impl Curve {
    fn of(algorithm: Algorithm) -> Result<Self, TokenError> {
        match algorithm {
            Algorithm::EcdsaP256Sha256 => Ok(Self { oid: P256, octets: 32, digest: &SHA256 }),
            Algorithm::EcdsaP384Sha384 => Ok(Self { oid: P384, octets: 48, digest: &SHA384 }),
            other => Err(TokenError::Algorithm(other.number())),
        }
    }
}

/// A private key that is in a token.
struct TokenKey {
    uri: TokenUri,
    curve: Curve,
}

impl TokenKey {
    fn signature(&self, digest: &[u8]) -> Result<Vec<u8>, TokenError> {
        with_module(&self.uri, |module| {
            let Open { session, key } = module.open(&self.uri)?;
            session.sign(&Mechanism::Ecdsa, *key, digest).map_err(|error| failed(&self.uri, &error))
        })
    }
}

impl Keeper for TokenKey {
    fn sign(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), Unavailable> {
        let digest = digest::digest(self.curve.digest, message);
        match self.signature(digest.as_ref()) {
            // Both numbers, one after the other, are what RRSIG has (RFC 6605 §4).
            Ok(signature) if signature.len() == 2 * self.curve.octets => {
                out.extend(signature);
                Ok(())
            }
            Ok(signature) => Err(Unavailable(format!("a signature of {} octets", signature.len()).into())),
            Err(error) => Err(Unavailable(error.to_string().into())),
        }
    }
}

/// A library that is loaded.
struct Module {
    /// The ways to the keys in use, by their names.
    open: BTreeMap<String, Open>,
    pkcs11: Pkcs11,
    /// The PIN that each token has refused last, by its label.
    refused: BTreeMap<String, Zeroizing<String>>,
}

/// A way to a key.
struct Open {
    session: Session,
    key: ObjectHandle,
}

impl Module {
    fn load(path: &str) -> Result<Self, Error> {
        let module = Self { open: BTreeMap::new(), pkcs11: Pkcs11::new(path)?, refused: BTreeMap::new() };
        module.initialise()?;
        Ok(module)
    }

    fn initialise(&self) -> Result<(), Error> {
        match self.pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
            other => other,
        }
    }

    /// Forgets all that it knew of its tokens. It stays loaded: not every library can be unloaded.
    fn begin_anew(&mut self) -> Result<(), Error> {
        self.open.clear();
        // One that was not in use cannot be told to end that, and need not be.
        drop(self.pkcs11.clone().finalize());
        self.initialise()
    }

    /// The private key that `uri` names.
    fn open(&mut self, uri: &TokenUri) -> Result<&Open, TokenError> {
        let name = uri.to_string();
        if !self.open.contains_key(&name) {
            let session = self.session(uri)?;
            let wanted = [
                Attribute::Class(ObjectClass::PRIVATE_KEY),
                Attribute::Sign(true),
                Attribute::Label(uri.object.clone().into_bytes()),
            ];
            let found = session.find_objects(&wanted).map_err(|error| failed(uri, &error))?;
            let [key] = found[..] else { return Err(not_one(uri, found.len())) };
            self.open.insert(name.clone(), Open { session, key });
        }
        self.open.get(&name).ok_or_else(|| not_one(uri, 0))
    }

    /// A session with the token, logged in.
    fn session(&mut self, uri: &TokenUri) -> Result<Session, TokenError> {
        let at = |error: Error| failed(uri, &error);
        let slots = self.pkcs11.get_slots_with_initialized_token().map_err(at)?;
        let has_label = |token: cryptoki::slot::TokenInfo| token.label().trim_end() == uri.token;
        let Some(slot) =
            slots.into_iter().find(|&slot| self.pkcs11.get_token_info(slot).is_ok_and(has_label))
        else {
            return Err(TokenError::NoToken { module: uri.module_path.clone(), token: uri.token.clone() });
        };
        let pin = files::read_secret(Path::new(&uri.pin_source))
            .map_err(|problem| TokenError::Pin(problem.to_string()))?;
        let pin = pin.trim_end();
        if self.refused.get(&uri.token).is_some_and(|refused| **refused == pin) {
            return Err(TokenError::Refused { token: uri.token.clone(), file: uri.pin_source.clone() });
        }
        let session = self.pkcs11.open_rw_session(slot).map_err(at)?;
        // Wiped when dropped, as ours is.
        match session.login(UserType::User, Some(&AuthPin::from(pin.to_owned()))) {
            // Whoever has another session has logged in for all of them.
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                self.refused.remove(&uri.token);
                Ok(session)
            }
            Err(error @ Error::Pkcs11(RvError::PinIncorrect, _)) => {
                self.refused.insert(uri.token.clone(), Zeroizing::new(pin.to_owned()));
                Err(TokenError::Pin(at(error).to_string()))
            }
            Err(error @ Error::Pkcs11(RvError::PinLocked, _)) => Err(TokenError::Pin(at(error).to_string())),
            Err(error) => Err(at(error)),
        }
    }
}

/// Does something by the library that `uri` names. What fails is tried once more by a library that begins anew: one
/// whose token was gone may see it again only then. A PIN that is wrong stays wrong, and tokens count.
fn with_module<T>(
    uri: &TokenUri,
    task: impl Fn(&mut Module) -> Result<T, TokenError>,
) -> Result<T, TokenError> {
    let at = |error: Error| failed(uri, &error);
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    match modules.entry(uri.module_path.clone()) {
        Entry::Vacant(vacant) => task(vacant.insert(Module::load(&uri.module_path).map_err(at)?)),
        Entry::Occupied(loaded) => {
            let module = loaded.into_mut();
            match task(module) {
                Err(error) if !matches!(error, TokenError::Pin(_) | TokenError::Refused { .. }) => {
                    module.begin_anew().map_err(at)?;
                    task(module)
                }
                done => done,
            }
        }
    }
}

fn failed(uri: &TokenUri, error: &Error) -> TokenError {
    let what = format!("key `{}` in token `{}` ({})", uri.object, uri.token, uri.module_path);
    TokenError::Token { what, reason: error.to_string() }
}

fn not_one(uri: &TokenUri, found: usize) -> TokenError {
    TokenError::NotOne { token: uri.token.clone(), object: uri.object.clone(), found }
}

/// secp256r1 as a DER object identifier (RFC 5480 §2.1.1.1).
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// secp384r1.
const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

//! What a filter asks of the indexes of a part.

use ph_filter::{Filter, Wanted, wanted};
use ph_model::Signal;

use super::Kind;
use super::blocks::Blocks;
use super::build::{fingerprint, is_indexed};
use super::file::{Fault, Open};
use crate::rows::{TRACE_ID, column_name, message_column};

/// Rows that pass a filter satisfy it; other rows may as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Anything,
    Token(u32),
    Trace([u8; 16]),
    All(Vec<Need>),
    Any(Vec<Need>),
}

impl Need {
    pub fn of(signal: Signal, filter: &Filter) -> Self {
        from(signal, &wanted(filter))
    }

    /// Whether a trace id is asked for.
    pub fn asks_traces(&self) -> bool {
        match self {
            Need::Trace(_) => true,
            Need::All(parts) | Need::Any(parts) => parts.iter().any(Need::asks_traces),
            Need::Anything | Need::Token(_) => false,
        }
    }

    /// Blocks in which a row may pass; `None`: all.
    pub fn blocks(&self, tix: Option<&Open>, tid: Option<&Open>) -> Result<Option<Blocks>, (Kind, Fault)> {
        match self {
            Need::Anything => Ok(None),
            Need::Token(fingerprint) => look(Kind::Tokens, tix, u128::from(*fingerprint)),
            Need::Trace(id) => look(Kind::Traces, tid, u128::from_be_bytes(*id)),
            Need::All(parts) => {
                let mut out: Option<Blocks> = None;
                for part in parts {
                    if let Some(found) = part.blocks(tix, tid)? {
                        match &mut out {
                            Some(known) => known.and(&found),
                            None => out = Some(found),
                        }
                    }
                    if out.as_ref().is_some_and(Blocks::is_empty) {
                        break;
                    }
                }
                Ok(out)
            }
            Need::Any(parts) => {
                let mut out: Option<Blocks> = None;
                for part in parts {
                    let Some(found) = part.blocks(tix, tid)? else { return Ok(None) };
                    match &mut out {
                        Some(known) => known.or(&found),
                        None => out = Some(found),
                    }
                }
                Ok(out)
            }
        }
    }
}

fn look(kind: Kind, open: Option<&Open>, key: u128) -> Result<Option<Blocks>, (Kind, Fault)> {
    let Some(open) = open else { return Ok(None) };
    let mut out = Blocks::none(open.index.blocks());
    open.index.find(open.file.as_ref(), key.to_be_bytes(), &mut out).map_err(|fault| (kind, fault))?;
    Ok(Some(out))
}

fn from(signal: Signal, wanted: &Wanted) -> Need {
    match wanted {
        Wanted::Anything => Need::Anything,
        Wanted::All(parts) => Need::All(parts.iter().map(|p| from(signal, p)).collect()),
        Wanted::Any(parts) => Need::Any(parts.iter().map(|p| from(signal, p)).collect()),
        Wanted::Token { field, token } => token_of(signal, field.as_deref(), token),
    }
}

/// Attributes and messages are indexed under their bare tokens, columns under their names alone.
fn token_of(signal: Signal, field: Option<&str>, token: &str) -> Need {
    let Some(field) = field else { return Need::Token(fingerprint(None, token)) };
    if let Some(column) = column_name(signal, field) {
        return match column {
            TRACE_ID => trace_id(token).map_or(Need::Anything, Need::Trace),
            _ if column == message_column(signal) => Need::Token(fingerprint(None, token)),
            _ if is_indexed(signal, column) => Need::Token(fingerprint(Some(column), token)),
            _ => Need::Anything,
        };
    }
    if field.starts_with("attr.") {
        return Need::Token(fingerprint(Some(field), token));
    }
    if field.starts_with("resource.") {
        // The key itself may begin with the word.
        let doubled = format!("resource.{field}");
        return Need::Any(vec![
            Need::Token(fingerprint(Some(field), token)),
            Need::Token(fingerprint(Some(&doubled), token)),
        ]);
    }
    Need::Token(fingerprint(None, token))
}

fn trace_id(token: &str) -> Option<[u8; 16]> {
    let digits = token.len() == 32 && token.bytes().all(|b| b.is_ascii_hexdigit());
    digits.then(|| u128::from_str_radix(token, 16).ok()).flatten().map(u128::to_be_bytes)
}

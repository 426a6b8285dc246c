//! Reads columns by name; a value of the wrong form is damage and says which column.

use ph_access::{Role, TokenHash};
use ph_model::ErrorKind;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, Type, decode::Decode};
use uuid::Uuid;

use crate::Error;

pub(super) fn column<'r, T>(row: &'r SqliteRow, name: &str) -> Result<T, Error>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get(name).map_err(|e| damaged(name).caused_by(e))
}

pub(super) fn damaged(name: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("state.db is damaged: column {name} has a value of the wrong form"),
    )
}

pub(super) fn bytes<const N: usize>(row: &SqliteRow, name: &str) -> Result<[u8; N], Error> {
    column::<Vec<u8>>(row, name)?.try_into().map_err(|_| damaged(name))
}

pub(super) fn uuid(row: &SqliteRow, name: &str) -> Result<Uuid, Error> {
    bytes::<16>(row, name).map(Uuid::from_bytes)
}

pub(super) fn hash(row: &SqliteRow, name: &str) -> Result<TokenHash, Error> {
    bytes::<32>(row, name).map(TokenHash)
}

pub(super) fn role(row: &SqliteRow, name: &str) -> Result<Role, Error> {
    column::<String>(row, name)?.parse().map_err(|_| damaged(name))
}

pub(super) fn unsigned(row: &SqliteRow, name: &str) -> Result<u64, Error> {
    column::<i64>(row, name)?.try_into().map_err(|_| damaged(name))
}

/// Word of a closed set, as a CHECK of the schema keeps it.
pub(super) fn word<T: Copy>(row: &SqliteRow, name: &str, set: &[(T, &str)]) -> Result<T, Error> {
    let text: String = column(row, name)?;
    set.iter().find(|(_, w)| *w == text).map(|(t, _)| *t).ok_or_else(|| damaged(name))
}

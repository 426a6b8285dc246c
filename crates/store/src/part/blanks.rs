//! Which columns of a part have nothing in any row, told in its Parquet metadata, so that whole rows are read without them.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::file::metadata::{FileMetaData, KeyValue, ParquetMetaData};

use super::shapes;
use crate::rows::{OWN, blank, is_blank};

/// The name of the entry in the metadata.
const ENTRY: &str = "pilothouse.blank";

/// Blank columns while the rows of a part come.
#[derive(Default)]
pub(super) struct Blanking(Option<Vec<String>>);

impl Blanking {
    /// The next rows, as the file has them.
    pub fn add(&mut self, rows: &RecordBatch) {
        let first = || {
            let names = rows.schema_ref().fields().iter().map(|field| field.name());
            names.filter(|name| !name.starts_with(OWN) && *name != shapes::COLUMN).cloned().collect()
        };
        let has_nothing = |name: &String| rows.column_by_name(name).is_some_and(|column| is_blank(column));
        self.0.get_or_insert_with(first).retain(has_nothing);
    }

    pub fn finish(self) -> Option<KeyValue> {
        let names = self.0.filter(|names| !names.is_empty())?;
        Some(KeyValue::new(ENTRY.to_owned(), serde_json::to_string(&names).ok()))
    }
}

/// Names of the blank columns; none for a part of an earlier version.
fn told(meta: &FileMetaData) -> Option<Vec<String>> {
    let entry = meta.key_value_metadata()?.iter().find(|entry| entry.key == ENTRY)?;
    serde_json::from_str(entry.value.as_deref()?).ok()
}

/// How whole rows are read.
pub(super) struct WholeRows {
    pub mask: ProjectionMask,
    /// All columns of the rows, those that are not read too.
    fields: Vec<Arc<Field>>,
}

impl WholeRows {
    pub fn new(meta: &ParquetMetaData, schema: &Schema) -> Self {
        let blanks = told(meta.file_metadata()).unwrap_or_default();
        let fields = schema.fields().iter().enumerate().filter(|(_, field)| field.name() != shapes::COLUMN);
        let is_read = |field: &Field| !blanks.contains(field.name()) || blank(field, 0).is_none();
        let roots: Vec<usize> =
            fields.clone().filter(|(_, field)| is_read(field)).map(|(at, _)| at).collect();
        let mask = ProjectionMask::roots(meta.file_metadata().schema_descr(), roots);
        Self { mask, fields: fields.map(|(_, field)| Arc::clone(field)).collect() }
    }

    /// The rows with the columns that were not read. `None` when a column is missing that is not blank.
    pub fn filled(&self, rows: &RecordBatch) -> Option<RecordBatch> {
        let column = |field: &Arc<Field>| -> Option<ArrayRef> {
            let read = rows.column_by_name(field.name());
            read.cloned().or_else(|| blank(field, rows.num_rows()))
        };
        let columns: Vec<ArrayRef> = self.fields.iter().map(column).collect::<Option<_>>()?;
        RecordBatch::try_new(Arc::new(Schema::new(self.fields.clone())), columns).ok()
    }
}

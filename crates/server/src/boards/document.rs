//! Files of boards: our own, and which reader another one is for.

use ph_api::{BoardDocument, BoardLeftOut, BoardSpec};
use ph_model::ErrorKind;
use serde_json::Value;

use super::grafana;
use crate::gateway::problem::Problem;

/// Rises when a reader of the one before would misread it.
const FORMAT: &str = "pilothouse.board/1";

/// A board as a file.
pub(super) fn written(board: BoardSpec) -> BoardDocument {
    BoardDocument { format: FORMAT.to_owned(), board }
}

/// The board in a file, and what the board does not hold of it.
pub(super) fn read(document: Value) -> Result<(BoardSpec, Vec<BoardLeftOut>), Problem> {
    match document.get("format").and_then(Value::as_str) {
        Some(FORMAT) => own(document).map(|spec| (spec, Vec::new())),
        Some(other) if other.starts_with("pilothouse.board/") => Err(Problem::new(
            ErrorKind::Invalid,
            format!("the file is of format {other}, this version reads {FORMAT}"),
        )
        .fault("document/format", format!("must be {FORMAT}"))
        .next_step("import it into the version that wrote it, or a newer one")),
        _ => grafana::read(&document),
    }
}

fn own(document: Value) -> Result<BoardSpec, Problem> {
    let file: BoardDocument = serde_json::from_value(document).map_err(|e| {
        Problem::new(ErrorKind::Invalid, format!("the file is not a board: {e}"))
            .fault("document/board", e.to_string())
    })?;
    Ok(file.board)
}

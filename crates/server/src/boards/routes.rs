//! Routes of boards: list, make, read, change, remove, export, import.

use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use ph_access::{BoardCreate, BoardEdit, BoardRemove as Remove, Entry, Operation, Permission, TenantCtx};
use ph_api::{
    Board, BoardChange, BoardDocument, BoardImport, BoardImported, BoardLeftOut, BoardRemove, BoardSpec,
    BoardSummary,
};
use ph_model::ErrorKind;
use ph_store::state::{BoardRecord, BoardText, BoardWrite};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::check::{MAX_BODY_BYTES, checked, fitting};
use super::{document, query};
use crate::app::AppState;
use crate::auth::keys::rule;
use crate::gateway::extract::{Json, Path, Query, not_found};
use crate::gateway::problem::Problem;

/// Dashboards of other programs carry much that is not taken.
const MAX_IMPORT: usize = 4 << 20;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one, change, remove))
        .routes(routes!(export))
        .merge(OpenApiRouter::new().routes(routes!(import)).layer(DefaultBodyLimit::max(MAX_IMPORT)))
}

fn board(r: BoardRecord) -> Result<Board, Problem> {
    let spec = serde_json::from_str(&r.text.body).map_err(|e| {
        Problem::new(ErrorKind::Internal, format!("the board {} cannot be read: {e}", r.text.title))
            .next_step("import it anew from an export, or remove it")
    })?;
    Ok(Board {
        id: r.id.to_string(),
        version: r.version,
        created_by: r.created_by,
        created_ms: r.created_ms,
        updated_by: r.updated_by,
        updated_ms: r.updated_ms,
        board: spec,
    })
}

fn summary(r: BoardRecord) -> BoardSummary {
    BoardSummary {
        id: r.id.to_string(),
        title: r.text.title,
        says: r.text.says,
        panels: u32::try_from(r.text.panels).unwrap_or(u32::MAX),
        version: r.version,
        created_by: r.created_by,
        created_ms: r.created_ms,
        updated_by: r.updated_by,
        updated_ms: r.updated_ms,
    }
}

/// What is stored of a board that was checked.
fn text(spec: BoardSpec) -> Result<BoardText, Problem> {
    let body = serde_json::to_string(&spec).map_err(|e| Problem::new(ErrorKind::Internal, e.to_string()))?;
    if body.len() > MAX_BODY_BYTES {
        let text = format!("the board has {} bytes as JSON; {MAX_BODY_BYTES} are the most", body.len());
        return Err(Problem::new(ErrorKind::Invalid, text).next_step("make two boards of it"));
    }
    Ok(BoardText { title: spec.title, says: spec.says, panels: spec.panels.len() as u64, body })
}

fn entry<Op: Operation>(ctx: &TenantCtx, text: &BoardText) -> Entry {
    Entry::change(Op::ACTION, format!("board {}", text.title))
        .by_rule(rule(ctx, Op::NEEDS))
        .with(json!({"panels": text.panels}))
}

/// Nobody's work is written over unseen: what is stored, by whom, and the two ways on.
fn newer(stored: &BoardRecord, mine: u64) -> Problem {
    let text = format!(
        "{} changed the board {} meanwhile: version {} is stored, this change began with version {mine}",
        stored.updated_by, stored.text.title, stored.version
    );
    Problem::with_status(StatusCode::CONFLICT, "conflict", text)
        .fault("version", format!("{} is stored", stored.version))
        .next_step("read the board again and make the change there, or keep this one as a new board")
}

/// The organisation's boards, by title.
#[utoipa::path(get, path = "/api/v1/dashboards", tag = "boards", responses((status = 200, body = Vec<BoardSummary>)),
    extensions(("x-permission" = json!("dashboards.read"))))]
pub async fn list(State(app): State<AppState>, ctx: TenantCtx) -> Result<Json<Vec<BoardSummary>>, Problem> {
    ctx.require(Permission::DashboardsRead)?;
    Ok(Json(app.state.boards(&ctx).await?.into_iter().map(summary).collect()))
}

/// Makes a board.
#[utoipa::path(post, path = "/api/v1/dashboards", tag = "boards", request_body = BoardSpec,
    responses((status = 201, body = Board), (status = 403, body = ph_api::Problem), (status = 422, body = ph_api::Problem),
        (status = 429, body = ph_api::Problem)),
    extensions(("x-permission" = json!("dashboards.edit"))))]
pub async fn create(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(spec): Json<BoardSpec>,
) -> Result<(StatusCode, Json<Board>), Problem> {
    app.auditor.require::<BoardCreate>(&ctx, format!("board {}", spec.title)).await?;
    let text = text(checked(spec)?)?;
    let entry = entry::<BoardCreate>(&ctx, &text);
    Ok((StatusCode::CREATED, Json(made(&app, &ctx, (text, entry)).await?)))
}

async fn made(app: &AppState, ctx: &TenantCtx, (text, entry): (BoardText, Entry)) -> Result<Board, Problem> {
    let at_ms = app.clock.now_ms();
    board(app.state.create_board(ctx, (Uuid::now_v7(), text), (entry, at_ms)).await.map_err(titled)?)
}

/// A title that is taken is a fault of the field.
fn titled(e: ph_store::Error) -> Problem {
    let taken = e.kind == ErrorKind::Invalid;
    let problem = Problem::from(e);
    if taken { problem.fault("title", "is another board's") } else { problem }
}

/// One board.
#[utoipa::path(get, path = "/api/v1/dashboards/{id}", tag = "boards", params(("id" = String, Path)),
    responses((status = 200, body = Board), (status = 404, body = ph_api::Problem)),
    extensions(("x-permission" = json!("dashboards.read"))))]
pub async fn one(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<Uuid>,
) -> Result<Json<Board>, Problem> {
    ctx.require(Permission::DashboardsRead)?;
    Ok(Json(board(app.state.board(&ctx, id).await?.ok_or_else(not_found)?)?))
}

/// Changes a board. Refused when a newer version is stored than the one that the change began with.
#[utoipa::path(put, path = "/api/v1/dashboards/{id}", tag = "boards", params(("id" = String, Path)), request_body = BoardChange,
    responses((status = 200, body = Board), (status = 404, body = ph_api::Problem), (status = 409, body = ph_api::Problem),
        (status = 422, body = ph_api::Problem)),
    extensions(("x-permission" = json!("dashboards.edit"))))]
pub async fn change(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<Uuid>,
    Json(asked): Json<BoardChange>,
) -> Result<Json<Board>, Problem> {
    app.auditor.require::<BoardEdit>(&ctx, format!("board {id}")).await?;
    let text = text(checked(asked.board)?)?;
    let entry = entry::<BoardEdit>(&ctx, &text);
    let at_ms = app.clock.now_ms();
    match app.state.change_board(&ctx, (id, asked.version, text), (entry, at_ms)).await.map_err(titled)? {
        BoardWrite::Done(changed) => Ok(Json(board(changed)?)),
        BoardWrite::Newer(stored) => Err(newer(&stored, asked.version)),
        BoardWrite::Missing => Err(not_found()),
    }
}

/// Removes a board; with a version, only when no newer one is stored.
#[utoipa::path(delete, path = "/api/v1/dashboards/{id}", tag = "boards", params(("id" = String, Path), BoardRemove),
    responses((status = 204), (status = 404, body = ph_api::Problem), (status = 409, body = ph_api::Problem)),
    extensions(("x-permission" = json!("dashboards.edit"))))]
pub async fn remove(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<Uuid>,
    Query(asked): Query<BoardRemove>,
) -> Result<StatusCode, Problem> {
    app.auditor.require::<Remove>(&ctx, format!("board {id}")).await?;
    let entry = Entry::change(Remove::ACTION, format!("board {id}")).by_rule(rule(&ctx, Remove::NEEDS));
    match app.state.remove_board(&ctx, (id, asked.version), (entry, app.clock.now_ms())).await? {
        BoardWrite::Done(_) => Ok(StatusCode::NO_CONTENT),
        BoardWrite::Newer(stored) => Err(newer(&stored, asked.version.unwrap_or_default())),
        BoardWrite::Missing => Err(not_found()),
    }
}

/// A board as a file that any organisation can import.
#[utoipa::path(get, path = "/api/v1/dashboards/{id}/export", tag = "boards", params(("id" = String, Path)),
    responses((status = 200, body = BoardDocument), (status = 404, body = ph_api::Problem)),
    extensions(("x-permission" = json!("dashboards.read"))))]
pub async fn export(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    ctx.require(Permission::DashboardsRead)?;
    let found = board(app.state.board(&ctx, id).await?.ok_or_else(not_found)?)?;
    let name = file_name(&found.board.title);
    let mut answer = Json(document::written(found.board)).into_response();
    let kind = format!("attachment; filename=\"{name}.json\"");
    if let Ok(value) = HeaderValue::from_str(&kind) {
        answer.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(answer)
}

/// Letters and digits of the title; the rest becomes dashes.
fn file_name(title: &str) -> String {
    let plain: String =
        title.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let words: Vec<&str> = plain.split('-').filter(|w| !w.is_empty()).collect();
    if words.is_empty() { "board".to_owned() } else { words.join("-") }
}

/// Makes a board of a file: an export, or a dashboard of Grafana. Answers with everything that was not taken.
#[utoipa::path(post, path = "/api/v1/dashboards/import", tag = "boards", request_body = BoardImport,
    responses((status = 201, body = BoardImported), (status = 403, body = ph_api::Problem), (status = 413, body = ph_api::Problem),
        (status = 422, body = ph_api::Problem), (status = 429, body = ph_api::Problem)),
    extensions(("x-permission" = json!("dashboards.edit"))))]
pub async fn import(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(asked): Json<BoardImport>,
) -> Result<(StatusCode, Json<BoardImported>), Problem> {
    app.auditor.require::<BoardCreate>(&ctx, "board of a file").await?;
    let (mut spec, mut left_out) = document::read(asked.document)?;
    if let Some(title) = asked.title {
        spec.title = title;
    }
    let spec = fitting(spec)?;
    let unread =
        query::unread(&spec).into_iter().map(|fault| format!("{}: it stays, to be mended", fault.message));
    left_out.extend(unread.map(|text| BoardLeftOut { path: String::new(), text }));
    let text = text(spec)?;
    let detail = json!({"panels": text.panels, "left_out": left_out.len(), "imported": true});
    let entry = entry::<BoardCreate>(&ctx, &text).with(detail);
    let board = made(&app, &ctx, (text, entry)).await?;
    Ok((StatusCode::CREATED, Json(BoardImported { board, left_out })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_titles() {
        for (title, name) in
            [("Shop: p95 & errors", "shop-p95-errors"), ("Übersicht", "bersicht"), ("«»", "board")]
        {
            assert_eq!(file_name(title), name);
        }
    }
}

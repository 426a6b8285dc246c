//! `POST count`: how many lines, by time, level, field or pattern, counted where the lines lie and added up here.
//!
//! Never: a number that is more exact than it is. What one node left out of its commonest values is part of the error.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use futures::{FutureExt, StreamExt};
use ph_access::{LogsQuery as LogsOp, Permission, TenantCtx};
use ph_api::{LogBucket, LogCount, LogCountAsk, LogSource};
use ph_filter::Filter;
use ph_link::v1::count_event::M as Event;
use ph_link::v1::logs_client::LogsClient;
use ph_link::v1::{CountAsk, CountBy, CountResult, LogSummary};
use ph_model::{RangeNs, Signal};
use serde_json::json;
use tonic::Code;

use super::ask::{Ask, Mode, Origin, Shape};
use super::history::{self, Asked};
use super::read::{self, CONCURRENT, Lane, Missing, NodeSources};
use super::record::{position, time_text};
use super::resolve::{by_reader, resolve};
use super::stored::{self, Shelf};
use super::{budget, columns, page, routes, sources, ticket};
use crate::app::AppState;
use crate::audit::Outcome;
use crate::gateway::extract::Json;
use crate::gateway::problem::Problem;

/// Widths of buckets that people read at a glance, in ns.
const STEPS_S: [i64; 17] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400];
const SECOND: i64 = 1_000_000_000;
/// Most groups that a node tells.
const TOLD: u32 = 100;

/// What is counted and over which grid.
struct Plan {
    by: CountBy,
    field: String,
    buckets: u32,
    /// With `time`: the grid, aligned to its step.
    from_ns: i64,
    to_ns: i64,
    step_ns: i64,
}

/// A count that a stage asks for.
pub(super) struct Counted(Plan);

impl Counted {
    pub fn by(by: CountBy) -> Self {
        let buckets = 500;
        Self(Plan { by, field: String::new(), buckets, from_ns: 0, to_ns: 0, step_ns: i64::MAX })
    }

    /// Steps of a range whose ends are ends of steps; ns UTC.
    pub fn steps((from_ns, to_ns): (i64, i64), step_ns: i64, buckets: u32) -> Self {
        let Self(plan) = Self::by(CountBy::Time);
        Self(Plan { buckets, from_ns, to_ns, step_ns, ..plan })
    }

    pub fn values(field: &str, most: u32) -> Self {
        let by = of_field(field);
        let Self(plan) = Self::by(by);
        Self(Plan { field: field.to_owned(), buckets: most, ..plan })
    }

    pub fn patterns(most: u32) -> Self {
        let Self(plan) = Self::by(CountBy::Pattern);
        Self(Plan { buckets: most, ..plan })
    }
}

/// What was counted, by begin of a step (else 0) and key.
pub(super) struct Cells {
    pub cells: Vec<(i64, String, u64)>,
    /// Matches in none of them.
    pub other: u64,
    pub error: u64,
    pub exact: bool,
    pub gaps: Vec<Missing>,
    pub summary: LogSummary,
    pub unread: u32,
}

/// Counts where the lines lie.
pub(super) async fn counted(
    asked: &Asked<'_>,
    nodes: &[NodeSources],
    (ask, Counted(plan)): (&Ask, &Counted),
) -> Result<Cells, Problem> {
    let mut sum = summed((asked, nodes), (ask, plan)).await?;
    if plan.by == CountBy::Source {
        // A source that has no such column has none of its values.
        sum.other += sum.cells.remove(&(0, String::new())).map_or(0, |cell| cell.count);
    }
    let cells = sum.cells.into_iter().filter(|(_, cell)| cell.count > 0);
    let mut summary = sum.summary;
    if summary.stopped.is_empty() {
        summary.stopped = "done".into();
    }
    Ok(Cells {
        cells: cells.map(|((at, key), cell)| (at, key, cell.count)).collect(),
        other: sum.other,
        error: sum.error,
        exact: sum.exact,
        gaps: sum.gaps,
        summary,
        unread: sum.unread,
    })
}

/// Who can count a field's values: what is a column of the source is known beside its lines.
fn of_field(field: &str) -> CountBy {
    match field {
        _ if columns::text(&LogSource::default(), field).is_some() => CountBy::Source,
        "level" => CountBy::Level,
        _ => CountBy::Field,
    }
}

async fn summed(
    (asked, nodes): (&Asked<'_>, &[NodeSources]),
    (ask, plan): (&Ask, &Plan),
) -> Result<Sum, Problem> {
    let mut sum = Sum { exact: true, ..Sum::default() };
    if ask.origin != Origin::Store {
        files(&mut sum, (asked, nodes), (ask, plan)).await;
    }
    if ask.origin != Origin::Files {
        shipped(&mut sum, asked, (ask, plan)).await?;
    }
    Ok(sum)
}

/// One counted thing.
#[derive(Default)]
struct Cell {
    count: u64,
    from_ns: i64,
    to_ns: i64,
    example: Option<String>,
    cursor: Option<String>,
}

/// The sum so far, by key (time: begin and level).
#[derive(Default)]
struct Sum {
    cells: BTreeMap<(i64, String), Cell>,
    other: u64,
    error: u64,
    exact: bool,
    gaps: Vec<Missing>,
    summary: LogSummary,
    unread: u32,
}

/// How many lines of a query, by time, level, field or pattern.
#[utoipa::path(post, path = "/api/v1/logs/count", tag = "logs", request_body = LogCountAsk,
    responses((status = 200, body = LogCount), (status = 404, body = ph_api::Problem), (status = 422, body = ph_api::Problem)),
    extensions(("x-permission" = json!("logs.read"))))]
pub async fn count(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(asked_for): Json<LogCountAsk>,
) -> Result<Json<LogCount>, Problem> {
    ctx.require(Permission::LogsRead)?;
    let started = std::time::Instant::now();
    let budget = budget::of(&ctx);
    let mut ask = Ask::new(&asked_for.query, (Shape::Whole, budget)).map_err(routes::faults)?;
    ask.mode = Mode::Head;
    let _slot = app.logs.slots.take(&ctx)?;
    let found =
        routes::numbered(columns::meant(resolve(&app, &ctx, &asked_for.query.sources)?, &ask.filter))?;
    let asked = Asked { app: &app, ctx: &ctx, sources: &found };
    let nodes: Vec<NodeSources> = by_reader(&app, &ctx, &found).into_iter().map(|(_, n)| n).collect();
    let plan = plan(&asked_for, (&ask, &nodes), app.clock.now_ms()).await.map_err(routes::faults)?;
    let grant = app.auditor.decide::<LogsOp>(&ctx, routes::target(&asked_for.query, &found)).await?;
    let decision = grant.row().clone();
    let sum = summed((&asked, &nodes), (&ask, &plan)).await?;
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let answer = sum.answer(&asked, &plan, took_ms);
    let detail = json!({
        "count": answer.buckets.iter().map(|b| b.count).sum::<u64>(),
        "buckets": answer.buckets.len(),
        "bytes": answer.summary.scanned_bytes,
        "redactions": answer.summary.redactions,
    });
    app.auditor.outcome(&ctx, &decision, Outcome { action: "logs.query", failed: None, detail }).await?;
    Ok(Json(answer))
}

async fn plan(
    asked: &LogCountAsk,
    (ask, nodes): (&Ask, &[NodeSources]),
    now_ms: i64,
) -> Result<Plan, Vec<ph_api::FieldError>> {
    let fault = |path: &str, message: String| {
        vec![ph_api::FieldError { path: path.into(), message, ..Default::default() }]
    };
    if ask.has_context() {
        return Err(fault("query.context", "a count has no lines around matches".into()));
    }
    let (by, most, default) = match asked.by.as_deref() {
        None | Some("time") => (CountBy::Time, 500, 60),
        Some("level") => (CountBy::Level, 500, 10),
        Some("field") => (CountBy::Field, TOLD, 10),
        Some("pattern") => (CountBy::Pattern, 1_000, 20),
        Some(other) => {
            return Err(fault("by", format!("`{other}` is not one of time, level, field, pattern")));
        }
    };
    let buckets = asked.buckets.unwrap_or(default);
    if buckets == 0 || buckets > most {
        return Err(fault("buckets", format!("{buckets} is not between 1 and {most}")));
    }
    let field = asked.field.clone().unwrap_or_default();
    if by == CountBy::Field && field.is_empty() {
        return Err(fault("field", "name the field whose values are counted".into()));
    }
    if by != CountBy::Field && !field.is_empty() {
        return Err(fault("field", "a field goes with `by: field`".into()));
    }
    if by == CountBy::Pattern && ask.origin == Origin::Store {
        return Err(fault("by", "the store cannot count patterns; use origin `files` or `auto`".into()));
    }
    let by = match by {
        CountBy::Field => of_field(&field),
        by => by,
    };
    let mut plan = Plan { by, field, buckets, from_ns: ask.from_ns, to_ns: ask.to_ns, step_ns: i64::MAX };
    if by == CountBy::Time {
        let now = now_ms.saturating_add(1).saturating_mul(1_000_000);
        let to = if ask.to_ns == 0 { now } else { ask.to_ns };
        let from = if ask.from_ns == 0 {
            oldest(nodes).await.unwrap_or(to.saturating_sub(3_600 * SECOND))
        } else {
            ask.from_ns
        };
        let width = (to.saturating_sub(from) / i64::from(buckets).max(1)).max(1);
        let fits = |s: &&i64| {
            let step = **s * SECOND;
            let cells = to.div_euclid(step) + 1 - from.div_euclid(step);
            cells <= i64::from(buckets)
        };
        let days = (width / (86_400 * SECOND) + 2) * 86_400 * SECOND;
        let fine = (width < SECOND).then(|| fine(width, (from, to), buckets));
        plan.step_ns =
            fine.flatten().unwrap_or_else(|| STEPS_S.iter().find(fits).map_or(days, |s| s * SECOND));
        plan.from_ns = from.div_euclid(plan.step_ns) * plan.step_ns;
        plan.to_ns = (to - 1).div_euclid(plan.step_ns).saturating_add(1) * plan.step_ns;
    }
    Ok(plan)
}

/// A step below a second: 1, 2 or 5 of a power of ten nanoseconds.
fn fine(width: i64, (from, to): (i64, i64), buckets: u32) -> Option<i64> {
    let mut power = 1;
    while power < SECOND {
        for step in [power, 2 * power, 5 * power] {
            let cells = to.div_euclid(step) + 1 - from.div_euclid(step);
            if step >= width && cells <= i64::from(buckets) {
                return Some(step);
            }
        }
        power *= 10;
    }
    None
}

/// Time of the oldest line in files.
async fn oldest(nodes: &[NodeSources]) -> Option<i64> {
    let answers = futures::future::join_all(nodes.iter().map(sources::files)).await;
    let segments = answers.into_iter().flatten().flat_map(|r| r.sources).flat_map(|s| s.runs);
    segments.flat_map(|r| r.segments).map(|s| s.first_ns).filter(|ns| *ns != 0).min()
}

async fn files(sum: &mut Sum, (asked, nodes): (&Asked<'_>, &[NodeSources]), (ask, plan): (&Ask, &Plan)) {
    let mut ask = ask.clone();
    ask.budget.scan_bytes /= (nodes.len() as u64).max(1);
    if plan.by == CountBy::Time {
        // The grid is wider than the range; the condition keeps to the range.
        let range = Filter::Time {
            from: Some(ask.from_ns).filter(|n| *n != 0),
            to: Some(ask.to_ns).filter(|n| *n != 0),
        };
        if ask.from_ns != 0 || ask.to_ns != 0 {
            ask.filter = Filter::And(vec![range, ask.filter.clone()]);
        }
        (ask.from_ns, ask.to_ns) = (plan.from_ns, plan.to_ns);
    }
    let asks: Vec<_> = nodes
        .iter()
        .flat_map(|n| read::lanes(n, &ask))
        .map(|lane| async move { (one(&lane, asked, plan).await, lane) }.boxed())
        .collect();
    let mut answers = futures::stream::iter(asks).buffer_unordered(CONCURRENT);
    while let Some(((result, gaps), lane)) = answers.next().await {
        let away = gaps.iter().any(|(source, ..)| source.is_none());
        let alone = gaps.iter().filter(|(source, _, g)| source.is_some() && g.kind == "denied").count();
        sum.unread += if away { lane.node.sources.len() } else { alone } as u32;
        sum.summary.gaps += gaps.len() as u64;
        if !gaps.is_empty() {
            sum.summary.completeness = "incomplete".into();
        }
        sum.gaps.extend(gaps);
        if let Some(result) = result {
            sum.add(result, asked, plan);
        }
    }
}

/// One node's count, and what is missing of it.
async fn one(lane: &Lane, asked: &Asked<'_>, plan: &Plan) -> (Option<CountResult>, Vec<Missing>) {
    let node = &lane.node;
    let Some(channel) = lane.channel.clone() else {
        return (None, vec![read::unreachable_gap(node, "no agent of this node is connected")]);
    };
    let admitted = ticket::admit(node).await;
    let mut gaps = admitted.gaps.clone();
    if admitted.node.sources.is_empty() {
        return (None, gaps);
    }
    let buckets = match plan.by {
        CountBy::Field => TOLD,
        CountBy::Source => 0,
        CountBy::Time => u32::try_from((plan.to_ns - plan.from_ns) / plan.step_ns).unwrap_or(plan.buckets),
        _ => plan.buckets,
    };
    let ask = CountAsk {
        open: Some(read::admitted_open(lane, &admitted)),
        by: plan.by.into(),
        field: if plan.by == CountBy::Field { plan.field.clone() } else { String::new() },
        buckets,
    };
    let within = Duration::from_millis(lane.open.deadline_ms) + node.patience;
    let counted = async {
        let mut client = LogsClient::new(channel).max_decoding_message_size(32 << 20);
        let mut events = client.count(ask).await?.into_inner();
        let mut missing = Vec::new();
        while let Some(event) = events.message().await? {
            match event.m {
                Some(Event::Gap(gap)) => {
                    let source = admitted.node.sources.get(gap.source as usize);
                    node.planted.note(&gap, source);
                    missing.push((source.map(|s| s.index), node.node.clone(), gap));
                }
                Some(Event::Result(result)) => {
                    return Ok((Some(named(result, (asked, &admitted.node), plan)), missing));
                }
                Some(Event::Progress(_)) | None => {}
            }
        }
        Err(tonic::Status::unavailable("the count ended without a result"))
    };
    match tokio::time::timeout(within, counted).await {
        Ok(Ok((result, missing))) => {
            gaps.extend(missing);
            (result, gaps)
        }
        Ok(Err(status)) if ticket::is_refusal(&status) => {
            gaps.extend(ticket::refused(&admitted.node, admitted.unasked.as_deref(), &status));
            (None, gaps)
        }
        Ok(Err(status)) if status.code() == Code::Unimplemented => {
            gaps.push(read::unreachable_gap(node, "its agent is too old to count; update it"));
            (None, gaps)
        }
        Ok(Err(status)) => (None, [gaps, vec![read::unreachable_gap(node, status.message())]].concat()),
        Err(_) => (None, [gaps, vec![read::unreachable_gap(node, "it did not count in time")]].concat()),
    }
}

/// A node's answer with its sources as this query numbers them; counts by source get what the source is called.
fn named(mut result: CountResult, (asked, node): (&Asked<'_>, &NodeSources), plan: &Plan) -> CountResult {
    let index = |i: u32| node.sources.get(i as usize).map(|s| s.index);
    for b in &mut result.buckets {
        b.source = index(b.source).unwrap_or(u32::MAX);
        if plan.by == CountBy::Source {
            let at = b.key.parse().ok().and_then(index);
            let source = asked.sources.iter().find(|(i, _)| Some(*i) == at);
            b.key =
                source.and_then(|(_, r)| columns::text(&r.json, &plan.field)).unwrap_or_default().to_owned();
        }
    }
    result
}

/// What the store holds beyond the files.
async fn shipped(sum: &mut Sum, asked: &Asked<'_>, (ask, plan): (&Ask, &Plan)) -> Result<(), Problem> {
    if plan.by == CountBy::Pattern || asked.sources.is_empty() {
        return Ok(());
    }
    let mut shelf = Shelf { sources: asked.sources.iter().collect(), ..Shelf::default() };
    if ask.origin == Origin::Store {
        shelf.whole = asked.sources.iter().map(|(i, _)| *i).collect();
    }
    history::look(asked, &mut shelf).await;
    let (from, to) = match plan.by {
        CountBy::Time => (
            if ask.from_ns == 0 { plan.from_ns } else { ask.from_ns },
            if ask.to_ns == 0 { plan.to_ns } else { ask.to_ns },
        ),
        _ => (ask.from_ns.max(0), if ask.to_ns == 0 { i64::MAX } else { ask.to_ns }),
    };
    let by = match plan.by {
        CountBy::Field | CountBy::Source => plan.field.clone(),
        _ => "level".to_owned(),
    };
    let step_ns = if plan.by == CountBy::Time { plan.step_ns } else { i64::MAX };
    let count = ph_store::CountAsk {
        signal: Signal::Logs,
        filter: stored::condition(ask, &shelf),
        range: RangeNs::new(from, to),
        step_ns,
        by: Some(by),
    };
    for b in asked.app.telemetry.count(asked.ctx, count).await? {
        sum.summary.matches += b.count;
        if matches!(plan.by, CountBy::Field | CountBy::Source) && b.group.is_empty() {
            sum.other += b.count;
            continue;
        }
        let (at, end) = match plan.by {
            CountBy::Time => (b.start_ns, b.start_ns.saturating_add(plan.step_ns)),
            _ => (0, 0),
        };
        let cell = sum.cells.entry((at, b.group)).or_default();
        (cell.count, cell.from_ns, cell.to_ns) = (cell.count + b.count, at, end);
    }
    Ok(())
}

impl Sum {
    fn add(&mut self, result: CountResult, asked: &Asked<'_>, plan: &Plan) {
        let full = result.other > 0 && plan.by != CountBy::Time && plan.by != CountBy::Level;
        let least = result.buckets.iter().map(|b| b.count).min().unwrap_or(0);
        self.exact &= result.exact;
        self.error += result.error;
        if full
            && matches!(plan.by, CountBy::Field | CountBy::Pattern)
            && result.buckets.len() as u32 >= told(plan)
        {
            // A value that this node did not tell may stand up to so often on it.
            self.error += least;
            self.exact = false;
        }
        self.other += result.other;
        if let Some(summary) = &result.summary {
            read::add(&mut self.summary, summary);
        }
        for b in result.buckets {
            let at = if plan.by == CountBy::Time { b.from_ns } else { 0 };
            let cell = self.cells.entry((at, b.key)).or_default();
            cell.count += b.count;
            cell.to_ns = cell.to_ns.max(b.to_ns);
            cell.from_ns = if cell.from_ns == 0 { b.from_ns } else { cell.from_ns.min(b.from_ns) };
            if cell.example.is_none() && !b.example.is_empty() {
                let of = asked.sources.iter().find(|(i, _)| *i == b.source);
                cell.cursor = of.zip(b.position).map(|((_, r), p)| r.cursor().at(&position(&p)).to_text());
                cell.example = Some(b.example);
            }
        }
    }

    fn answer(mut self, asked: &Asked<'_>, plan: &Plan, took_ms: u64) -> LogCount {
        let mut buckets: Vec<LogBucket> = std::mem::take(&mut self.cells)
            .into_iter()
            .map(|((_, key), cell)| LogBucket {
                from: (cell.from_ns != 0).then(|| time_text(cell.from_ns)),
                to: (cell.to_ns != 0).then(|| time_text(cell.to_ns)),
                key,
                count: cell.count,
                example: cell.example,
                cursor: cell.cursor,
            })
            .collect();
        if plan.by != CountBy::Time {
            buckets.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
            let cut = buckets.split_off(buckets.len().min(plan.buckets as usize));
            self.other += cut.iter().map(|b| b.count).sum::<u64>();
        }
        let by_index = asked.sources.iter().map(|(i, r)| (*i, r.json.clone())).collect();
        let known = u32::try_from(asked.sources.len()).unwrap_or(u32::MAX);
        LogCount {
            buckets,
            other: self.other,
            exact: self.exact,
            error: self.error,
            gaps: self.gaps.iter().map(|(s, node, g)| page::gap(*s, node, g, &by_index)).collect(),
            summary: page::summary(&self.summary, (known.saturating_sub(self.unread), known), took_ms),
        }
    }
}

/// How many groups a node was asked for.
fn told(plan: &Plan) -> u32 {
    if plan.by == CountBy::Field { TOLD } else { plan.buckets }
}

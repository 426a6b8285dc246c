//! Stages: what is done with the records that pass a filter. `stages` works them out; a place that chooses lines alone refuses them.

/// One stage behind a `|`.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Only these fields are shown; not empty.
    Fields(Vec<String>),
    /// How many, by group and time.
    Count(Grouping),
    /// How many per second, by group and time.
    Rate(Grouping),
    /// The most frequent values of a field.
    Top {
        n: u32,
        field: String,
    },
    /// Messages with what varies taken out; the most frequent `n`.
    Patterns {
        n: Option<u32>,
    },
    Sort {
        field: String,
        order: Sorting,
    },
    Limit(u64),
    /// Not empty.
    Stats {
        measures: Vec<Measure>,
        grouping: Grouping,
    },
}

/// By which fields, and in which steps of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grouping {
    pub by: Vec<String>,
    /// Text of a duration (`1m`), which has been checked to be one.
    pub every: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sorting {
    #[default]
    Ascending,
    Descending,
}

/// One figure of `stats`.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    pub function: Function,
    /// Absent for `count()` alone.
    pub field: Option<String>,
    pub name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    P50,
    P90,
    P95,
    P99,
    Distinct,
}

/// Names of stages, for completion.
pub const STAGES: [&str; 8] = ["fields", "count", "rate", "top", "patterns", "sort", "limit", "stats"];

impl Function {
    pub const ALL: [Function; 10] = [
        Function::Count,
        Function::Sum,
        Function::Avg,
        Function::Min,
        Function::Max,
        Function::P50,
        Function::P90,
        Function::P95,
        Function::P99,
        Function::Distinct,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Function::Count => "count",
            Function::Sum => "sum",
            Function::Avg => "avg",
            Function::Min => "min",
            Function::Max => "max",
            Function::P50 => "p50",
            Function::P90 => "p90",
            Function::P95 => "p95",
            Function::P99 => "p99",
            Function::Distinct => "distinct",
        }
    }
}

//! Names of outputs and columns.

use clap::ValueEnum;

/// How a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns, and a coloured dot for each container.
    Table,
    /// The message, with pod and container before it when there is more than one source.
    Text,
    /// The message and a line's end, nothing else.
    Raw,
    /// One object a line: records, gaps, markers, the summary.
    Json,
    /// The same; a message that is JSON stands as JSON.
    Extjson,
    /// The same, indented.
    Ppextjson,
    /// Columns and the message, RFC 4180.
    Csv,
    /// The same between tabs.
    Tsv,
    /// By --template.
    #[value(skip)]
    Template,
}

impl Format {
    pub fn is_json(self) -> bool {
        matches!(self, Format::Json | Format::Extjson | Format::Ppextjson)
    }

    pub fn is_separated(self) -> bool {
        matches!(self, Format::Csv | Format::Tsv)
    }
}

/// What a line can be shown with. The message comes last and always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Column {
    Timestamp,
    Dot,
    Cluster,
    Node,
    Region,
    Zone,
    Os,
    Arch,
    Namespace,
    Pod,
    Container,
    Restart,
    Stream,
    Level,
    Position,
}

impl Column {
    pub fn name(self) -> &'static str {
        match self {
            Column::Timestamp => "timestamp",
            Column::Dot => "dot",
            Column::Cluster => "cluster",
            Column::Node => "node",
            Column::Region => "region",
            Column::Zone => "zone",
            Column::Os => "os",
            Column::Arch => "arch",
            Column::Namespace => "namespace",
            Column::Pod => "pod",
            Column::Container => "container",
            Column::Restart => "restart",
            Column::Stream => "stream",
            Column::Level => "level",
            Column::Position => "position",
        }
    }
}

//! Who reads what: places in files go to the node's agent, places of the Kubernetes API to the cluster's.

use std::sync::Arc;

use ph_link::API_SEGMENT;
use ph_link::v1::SourceRef;
use ph_model::{Position, Secret};
use tonic::transport::Channel;

use crate::logs::ask::{Ask, Mode, Shape};
use crate::logs::read::{Doors, NodeSources, Source, lanes};
use crate::logs::ticket::{Authority, TicketDesk};
use crate::logs::token::PageToken;

fn agent() -> Option<Channel> {
    Some(Channel::from_static("http://127.0.0.1:9").connect_lazy())
}

/// Each lane's sources, and whether somebody can read them.
fn told(doors: Doors, token: bool) -> Vec<(Vec<String>, bool)> {
    let source = |(index, id): (u32, &str)| Source {
        index,
        id: id.into(),
        wire: SourceRef::default(),
        restarts: 0,
        columns: Arc::default(),
    };
    let node = NodeSources {
        node: "n1".into(),
        doors,
        sources: [(0, "in-file"), (1, "over-api"), (2, "fresh")].map(source).into(),
        tickets: TicketDesk::of(Authority::Away),
        mask_key: Secret::new(vec![1; 32]),
        patience: std::time::Duration::from_secs(5),
        planted: Default::default(),
    };
    let mut at = PageToken::new(0, false);
    at.set("in-file", &Position { run: 0, segment_key: 7, offset: 1, rewind: 0 });
    at.set("over-api", &Position { run: 0, segment_key: API_SEGMENT, offset: 1, rewind: 0 });
    let ask = Ask { mode: Mode::All, shape: Shape::Stream, follow: true, ..Ask::everything() };
    let ask = Ask { token: token.then_some(at), ..ask };
    let all = lanes(&node, &ask).into_iter();
    all.map(|lane| (lane.node.sources.into_iter().map(|s| s.id).collect(), lane.channel.is_some())).collect()
}

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|n| (*n).to_owned()).collect()
}

#[tokio::test]
async fn each_place_goes_on_with_the_agent_that_made_it() {
    let lone = |file: bool, api: bool| {
        vec![(names(&["in-file"]), file), (names(&["over-api"]), api), (names(&["fresh"]), true)]
    };
    assert_eq!(told(Doors { files: None, api: agent() }, true), lone(false, true));
    assert_eq!(told(Doors { files: agent(), api: None }, true), lone(true, false));
    assert_eq!(told(Doors { files: agent(), api: agent() }, true), lone(true, true));
    let all = names(&["in-file", "over-api", "fresh"]);
    assert_eq!(told(Doors { files: None, api: agent() }, false), [(all.clone(), true)]);
    assert_eq!(told(Doors::default(), false), [(all, false)]);
}

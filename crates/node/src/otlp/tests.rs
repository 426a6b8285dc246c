//! Requests as a server decodes them.

use super::*;
use crate::group::{Group, Subject};
use crate::names as n;

fn points() -> ResourcePoints {
    let mut group = Group::new(Subject::Node);
    group
        .at(5)
        .since(Some(1))
        .int_with(n::K8S_POD_NETWORK_IO, &[("direction", "receive")], Some(7))
        .int_with(n::K8S_POD_NETWORK_IO, &[("direction", "transmit")], Some(8))
        .double(n::CONTAINER_CPU_USAGE, Some(ph_model::stale_marker()));
    let resource = [("k8s.pod.uid", "u1")].into_iter().collect();
    ResourcePoints { resource, points: group.points }
}

#[test]
fn points_of_one_name_share_a_metric_and_an_end_has_no_value() {
    let requests = metrics(vec![points()], 1 << 20);
    let decoded = ExportMetricsServiceRequest::decode(requests[0].as_slice()).unwrap();
    let all = &decoded.resource_metrics[0].scope_metrics[0].metrics;
    assert_eq!(
        all.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(),
        ["k8s.pod.network.io", "container.cpu.usage"]
    );
    let Some(metric::Data::Sum(sum)) = &all[0].data else { panic!("no sum") };
    assert!(sum.is_monotonic);
    assert_eq!(sum.data_points.len(), 2);
    assert_eq!(
        (sum.data_points[0].start_time_unix_nano, sum.data_points[0].time_unix_nano),
        (1_000_000, 5_000_000)
    );
    let Some(metric::Data::Gauge(gauge)) = &all[1].data else { panic!("no gauge") };
    assert_eq!((gauge.data_points[0].flags, gauge.data_points[0].value), (1, None));
}

#[test]
fn requests_stay_below_their_size() {
    let one = metrics(vec![points()], 1 << 20)[0].len();
    let requests = metrics(vec![points(); 10], one * 3);
    assert!(requests.len() >= 4 && requests.iter().all(|r| r.len() <= one * 3), "{}", requests.len());
    assert!(metrics(Vec::new(), 10).is_empty());
}

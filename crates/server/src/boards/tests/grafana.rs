//! Dashboards of Grafana: what is taken of them, and a line on everything else.

use super::*;

/// A dashboard with what people use most, and some of what is not understood.
fn dashboard() -> Value {
    json!({
        "id": 7, "uid": "abc", "version": 3, "schemaVersion": 39, "graphTooltip": 1, "editable": true,
        "title": "Payments", "description": "how payments go", "tags": ["team-a"], "time": {"from": "now-6h", "to": "now"},
        "annotations": {"list": [{"builtIn": 1, "name": "Annotations & Alerts"}, {"name": "deploys"}]},
        "templating": {"list": [
            {"name": "datasource", "type": "datasource", "query": "prometheus"},
            {"name": "cluster", "type": "query", "query": {"query": "label_values(up, cluster)", "refId": "x"}},
            {"name": "pod", "type": "query", "definition": "", "query": "label_values(up{cluster=~\"[[cluster]]\"}, pod)", "multi": true,
             "includeAll": true, "current": {"value": ["$__all"]}, "regex": "/pay.*/"},
            {"name": "quantile", "type": "custom", "query": "0.5, 0.95,p99 : 0.99", "current": {"value": "0.95"}},
            {"name": "filters", "type": "adhoc"},
            {"name": "top", "type": "query", "query": "query_result(topk(5, up))"}
        ]},
        "panels": [
            {"id": 2, "type": "timeseries", "title": "Requests", "gridPos": {"h": 8, "w": 12, "x": 12, "y": 1},
             "datasource": {"type": "prometheus", "uid": "${datasource}"},
             "fieldConfig": {"defaults": {"unit": "reqps", "min": 0, "max": 100, "custom": {"drawStyle": "line", "stacking": {"mode": "normal"}, "fillOpacity": 10},
                 "thresholds": {"mode": "absolute", "steps": [{"color": "green", "value": null}, {"color": "red", "value": 80}]}}, "overrides": []},
             "options": {"legend": {"showLegend": true}},
             "targets": [
                 {"refId": "A", "expr": "sum by (pod) (rate(http_requests_total{cluster=~\"$cluster\", pod=~\"${pod:regex}\"}[$__rate_interval]))", "legendFormat": "{{pod}}"},
                 {"refId": "B", "expr": "vector(1)", "hide": true},
                 {"refId": "C", "datasource": {"type": "loki"}, "expr": "{app=\"x\"}"}
             ]},
            {"id": 1, "type": "stat", "title": "Errors", "gridPos": {"h": 4, "w": 6, "x": 0, "y": 1},
             "fieldConfig": {"defaults": {"unit": "percent", "mappings": [{"type": "value"}],
                 "thresholds": {"mode": "absolute", "steps": [{"color": "green", "value": null}, {"color": "#EAB839", "value": 1}, {"color": "red", "value": 5}]}}},
             "targets": [{"refId": "A", "expr": "errors{zone=\"$zone\"}", "legendFormat": "__auto", "instant": true}]},
            {"id": 3, "type": "row", "title": "Below", "collapsed": true, "gridPos": {"h": 1, "w": 24, "x": 0, "y": 20}, "panels": [
                {"type": "table", "title": "Pods", "gridPos": {"h": 8, "w": 24, "x": 0, "y": 21}, "targets": [{"refId": "A", "expr": "up"}],
                 "transformations": [{"id": "organize"}]},
                {"type": "barchart", "title": "By pod", "gridPos": {"h": 8, "w": 24, "x": 0, "y": 30}, "fieldConfig": {"defaults": {"unit": "furlongs"}},
                 "targets": [{"refId": "A", "expr": "sum by (pod) (up)"}]}
            ]},
            {"id": 9, "type": "heatmap", "title": "Heat", "options": {"calculate": true}, "targets": [{"refId": "A", "expr": "x", "format": "heatmap"}]},
            {"id": 11, "type": "nodeGraph", "title": "Graph", "targets": [{"refId": "A", "expr": "x"}]},
            {"id": 12, "type": "row", "title": "Nothing here", "gridPos": {"h": 1, "w": 24, "x": 0, "y": 40}, "panels": []},
            {"id": 10, "type": "timeseries", "title": "Lines of a log", "targets": [{"refId": "A", "datasource": {"type": "loki"}, "expr": "{}"}]}
        ]
    })
}

#[tokio::test]
async fn the_useful_part_of_a_dashboard_becomes_a_board() {
    let room = Room::start().await;
    let (board, left) = room.imported(dashboard()).await;
    assert_eq!(
        board,
        json!({
            "title": "Payments", "says": "how payments go",
            "variables": [
                {"name": "cluster", "kind": "cluster"},
                {"name": "pod", "kind": "label_values", "label": "pod", "query": "up{cluster=~\"${cluster}\"}", "multi": true},
                {"name": "quantile", "kind": "list", "values": ["0.5", "0.95", "0.99"], "preset": ["0.95"]}
            ],
            "panels": [
                {"title": "Heat", "kind": "heatmap", "queries": [{"expr": "x"}], "unit": "", "width": 6},
                {"title": "Errors", "kind": "stat", "queries": [{"expr": "errors{zone=\"$zone\"}"}], "unit": "%", "width": 3,
                 "thresholds": [{"value": 1.0, "level": "warn"}, {"value": 5.0, "level": "crit"}]},
                {"title": "Requests", "kind": "stack", "unit": "/s", "width": 6, "min": 0.0, "max": 100.0,
                 "queries": [{"expr": "sum by (pod) (rate(http_requests_total{cluster=~\"$cluster\", pod=~\"${pod}\"}[$__rate_interval]))", "legend": "{{pod}}"}]},
                {"title": "Pods", "heading": "Below", "kind": "table", "queries": [{"expr": "up"}], "unit": "", "width": 12},
                {"title": "By pod", "kind": "bars", "queries": [{"expr": "sum by (pod) (up)"}], "unit": "", "width": 12}
            ]
        })
    );
    assert_eq!(left.join("\n").trim(), LEFT.trim());
    room.stack.stop().await;
}

/// Every setting of the dashboard that the board does not hold, one line each.
const LEFT: &str = r#"
 not kept of the dashboard: tags, time
/annotations/list/1 the annotation "deploys" is not kept; changes stand on every chart
/templating/list/0 the variable $datasource chooses a data source; every query asks this server
/templating/list/1 the variable $cluster follows the scope of all rooms instead of "label_values(up, cluster)"
/templating/list/2/regex the variable $pod offers all values: its expression is not kept
/templating/list/3/query values of the variable $quantile are shown as they are, without other words for them
/templating/list/4 the variable $filters: variables of the kind "adhoc" are not understood
/templating/list/5 the variable $top: only label_values(…) is understood, not "query_result(topk(5, up))"
/panels/3/options/calculate the panel "Heat" shows the buckets of its series, and makes none of plain values
/panels/3 not kept of the panel "Heat": options
/panels/4 the panel "Graph": panels of the kind "nodeGraph" are not drawn here
/panels/6/targets/0 query A of the panel "Lines of a log" asks loki, which is not there
/panels/6 the panel "Lines of a log" has no query that could be taken
/panels/1 not kept of the panel "Errors": fieldConfig.defaults.mappings
/panels/0/targets/1 query B of the panel "Requests" is hidden
/panels/0/targets/2 query C of the panel "Requests" asks loki, which is not there
/panels/0 not kept of the panel "Requests": options, fieldConfig.defaults.custom.fillOpacity
/panels/2/panels/0 not kept of the panel "Pods": transformations
/panels/2/panels/1 the unit "furlongs" of the panel "By pod" is not known: its values are plain numbers
/panels/5 the row "Nothing here" has no panel that was taken, so its heading is not kept
/panels the panel "Errors" names $zone, which is no variable of the board: put a value in its place"#;

#[tokio::test]
async fn dashboards_of_old_and_answers_of_grafanas_api_are_read() {
    let room = Room::start().await;
    let old = json!({"meta": {"slug": "x"}, "dashboard": {
    "title": "Old", "rows": [{"title": "Machines", "panels": [
        {"type": "graph", "title": "Load", "span": 4, "yaxes": [{"format": "bytes", "min": "1", "max": null}, {"format": "short"}], "stack": true,
         "thresholds": [{"value": 10, "op": "gt", "colorMode": "critical"}, {"value": 1, "op": "lt", "colorMode": "warning"}],
         "targets": [{"refId": "A", "expr": "node_load1", "legendFormat": "[[host]] {{mode}}"}]},
        {"type": "singlestat", "title": "Up", "span": 2, "format": "percentunit", "thresholds": "0.5,0.9", "targets": [{"refId": "A", "expr": "up"}]}
    ]}]}});
    let (board, left) = room.imported(old).await;
    assert_eq!(
        board["panels"],
        json!([
            {"title": "Load", "heading": "Machines", "kind": "stack", "unit": "By", "width": 4, "min": 1.0, "thresholds": [{"value": 10.0, "level": "crit"}],
             "queries": [{"expr": "node_load1", "legend": "${host} {{mode}}"}]},
            {"title": "Up", "kind": "stat", "unit": "1", "width": 2, "queries": [{"expr": "up"}]}
        ])
    );
    assert_eq!(
        left,
        [
            "/dashboard/rows/0/panels/0/thresholds/1 a threshold counts from a value upwards; this one does not",
            "/dashboard/rows/0/panels/1/type the panel \"Up\" is drawn as a figure, not as a singlestat",
            "/dashboard/rows/0/panels/1 not kept of the panel \"Up\": thresholds",
        ]
    );
    room.stack.stop().await;
}

#[tokio::test]
async fn a_dashboard_beyond_the_limits_is_taken_as_far_as_it_goes() {
    let room = Room::start().await;
    let target = |i: usize| json!({"refId": "A", "expr": format!("up == {i}")});
    let panel = |i: usize| json!({"type": "stat", "title": format!("p{i}"), "gridPos": {"x": 0, "y": i, "w": 1}, "targets": [target(i)]});
    let mut panels: Vec<Value> = (0..62).map(panel).collect();
    panels[0]["targets"] = (0..9).map(target).collect();
    panels[1]["title"] = json!("x".repeat(101));
    let (board, left) = room.imported(json!({"title": "", "panels": panels})).await;
    assert_eq!(
        (board["title"].as_str(), board["panels"].as_array().unwrap().len()),
        (Some("Imported board"), 60)
    );
    assert_eq!(
        (board["panels"][0]["queries"].as_array().unwrap().len(), board["panels"][0]["width"].as_u64()),
        (8, Some(2))
    );
    assert_eq!(
        left,
        [
            "/panels/0/targets/8 query A of the panel \"p0\" is one too many: 8 are the most of a panel",
            "/panels/1/title is longer than 100 characters; the rest is cut",
            "/panels/60 the panel \"p60\": 60 panels are the most of a board",
            "/panels/61 the panel \"p61\": 60 panels are the most of a board",
        ]
    );
    room.stack.stop().await;
}

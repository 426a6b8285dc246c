//! The agents' manifests: they parse, hold what was asked, and no right too many.

use serde::Deserialize;
use serde_yaml_ng::Value;

use crate::link::manifests::{Values, command, host_command, render};
use ph_model::{ClusterId, Secret};
use ph_store::state::Tier;

fn rendered(tier: Tier, name: &str) -> (String, Vec<Value>) {
    let token = Secret::new("phj_secret".to_owned());
    let text = render(&Values {
        url: "https://ops.example.org",
        authority: "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n",
        image: "pilothouse:test",
        cluster: ClusterId(uuid::Uuid::nil()),
        name,
        tier,
        log_redaction: if tier == Tier::Debug { "off" } else { "on" },
        token: &token,
    });
    let documents =
        serde_yaml_ng::Deserializer::from_str(&text).map(|d| Value::deserialize(d).unwrap()).collect();
    (text, documents)
}

fn rules<'a>(documents: &'a [Value], name: &str) -> Vec<&'a Value> {
    let role =
        documents.iter().find(|d| d["kind"] == "ClusterRole" && d["metadata"]["name"] == name).unwrap();
    role["rules"].as_sequence().unwrap().iter().collect()
}

#[test]
fn every_document_parses_and_no_mark_is_left() {
    let (text, documents) = rendered(Tier::Observe, "east");
    assert!(!text.contains("{{") && !text.contains("#@"), "{text}");
    let kinds: Vec<&str> = documents.iter().map(|d| d["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds[0], "Namespace", "first, so that one apply suffices");
    for kind in ["ServiceAccount", "ConfigMap", "Secret", "Deployment", "DaemonSet"] {
        assert!(kinds.contains(&kind), "{kind}");
    }
    let server = documents.iter().find(|d| d["kind"] == "ConfigMap").unwrap();
    assert!(server["data"]["ca.pem"].as_str().unwrap().contains("\nabc\n"));
    let identity = documents.iter().find(|d| d["metadata"]["name"] == "pilothouse-identity").unwrap();
    assert!(identity.get("data").is_none(), "applying again keeps the identity");
}

#[test]
fn no_value_leaves_its_string() {
    let (_, documents) = rendered(Tier::Observe, "x\"\n  evil: true\n---");
    let server = documents.iter().find(|d| d["kind"] == "ConfigMap").unwrap();
    assert_eq!(server["data"]["cluster-name"], "x\"\n  evil: true\n---");
}

#[test]
fn the_tier_decides_about_exec_and_nothing_allows_nodes_proxy() {
    for (tier, word) in [(Tier::Observe, "observe"), (Tier::Debug, "debug")] {
        let (_, documents) = rendered(tier, "east");
        let server = documents.iter().find(|d| d["kind"] == "ConfigMap").unwrap();
        assert_eq!(server["data"]["ceiling"], word);
        let redaction = if tier == Tier::Debug { "off" } else { "on" };
        assert_eq!(server["data"]["log-redaction"], redaction);
        assert_eq!(
            server["data"]["log-redaction"].as_str(),
            Some(redaction),
            "a bare off would be a truth value"
        );
        let exec = rules(&documents, "pilothouse-cluster-agent").iter().any(|rule| {
            rule["resources"].as_sequence().is_some_and(|list| list.iter().any(|r| r == "pods/exec"))
        });
        assert_eq!(exec, tier == Tier::Debug);
        for document in documents.iter().filter(|d| d["rules"].is_sequence()) {
            let text = serde_yaml_ng::to_string(document).unwrap();
            for never in ["nodes/proxy", "'*'", "escalate", "impersonate", "serviceaccounts/token"] {
                assert!(!text.contains(never), "{never} in {text}");
            }
        }
    }
    let (_, documents) = rendered(Tier::Observe, "east");
    assert_eq!(rules(&documents, "pilothouse-node-agent").len(), 2);
}

#[test]
fn pods_run_without_root_but_for_the_one_that_hands_over_a_directory() {
    let (_, documents) = rendered(Tier::Debug, "east");
    for document in documents.iter().filter(|d| d["spec"]["template"].is_mapping()) {
        let pod = &document["spec"]["template"]["spec"];
        for name in ["hostPID", "hostNetwork", "hostIPC"] {
            assert!(pod.get(name).is_none(), "{name}");
        }
        let init = pod["initContainers"].as_sequence().into_iter().flatten();
        for container in pod["containers"].as_sequence().unwrap().iter().chain(init) {
            let security = &container["securityContext"];
            assert_eq!(security["allowPrivilegeEscalation"], false);
            assert_eq!(security["readOnlyRootFilesystem"], true);
            assert_eq!(security["capabilities"]["drop"][0], "ALL");
            if security["runAsUser"] == 0 {
                assert_eq!(
                    security["capabilities"]["add"],
                    serde_yaml_ng::from_str::<Value>("[CHOWN]").unwrap()
                );
                assert_eq!(container["volumeMounts"].as_sequence().unwrap().len(), 1);
            }
            for mount in container["volumeMounts"].as_sequence().into_iter().flatten() {
                assert!(mount["name"] == "state" || mount["readOnly"] == true, "{mount:?}");
            }
        }
    }
}

#[test]
fn no_command_has_a_token_among_its_arguments() {
    let token = Secret::new("phj_secret".to_owned());
    let values = Values {
        url: "https://ops.example.org",
        authority: "",
        image: "pilothouse:test",
        cluster: ClusterId(uuid::Uuid::nil()),
        name: "box",
        tier: Tier::Observe,
        log_redaction: "on",
        token: &token,
    };
    for text in [command(&render(&values)), host_command(&values, true)] {
        let (first, rest) = text.split_once('\n').unwrap();
        assert!(!first.contains("phj_") && rest.contains("phj_secret"), "{first}");
    }
}

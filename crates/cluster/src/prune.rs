//! What never leaves the cluster, and what nobody needs: removed before an object is kept.
//!
//! Never: values of environment variables, data of Secrets and ConfigMaps, `managedFields`, the last applied manifest.

use serde_json::Value;

/// Annotations that repeat whole manifests.
const HEAVY_ANNOTATIONS: [&str; 3] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/last-applied",
    "objectset.rio.cattle.io/applied",
];

/// Prunes an object in place. What is no object is left as it is.
pub fn prune(object: &mut Value) {
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("managedFields");
        meta.remove("selfLink");
        if let Some(a) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
            for key in HEAVY_ANNOTATIONS {
                a.remove(key);
            }
        }
    }
    if let Some(o) = object.as_object_mut() {
        for secret in ["data", "stringData", "binaryData"] {
            o.remove(secret);
        }
    }
    for pointer in ["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec"] {
        if let Some(spec) = object.pointer_mut(pointer) {
            pod_spec(spec);
        }
    }
    if let Some(images) = object.pointer_mut("/status/images") {
        *images = Value::Null;
    }
}

fn pod_spec(spec: &mut Value) {
    for group in ["containers", "initContainers", "ephemeralContainers"] {
        for c in spec.get_mut(group).and_then(Value::as_array_mut).into_iter().flatten() {
            for env in c.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(env) = env.as_object_mut() {
                    env.remove("value");
                }
            }
            mask_arguments(c);
        }
    }
}

/// Words in an argument's name after which its value is a secret.
const SECRET_WORDS: [&str; 9] =
    ["key", "token", "secret", "pass", "password", "passwd", "pwd", "credential", "auth"];

/// `--password=x` becomes `--password=[masked]`; so does the argument after a bare `--password`.
fn mask_arguments(container: &mut Value) {
    for list in ["command", "args"] {
        let mut next_is_secret = false;
        for arg in container.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(text) = arg.as_str() else { continue };
            if next_is_secret {
                next_is_secret = false;
                if !text.starts_with('-') {
                    *arg = "[masked]".into();
                    continue;
                }
            }
            match text.split_once('=') {
                Some((name, _)) if names_secret(name) => *arg = format!("{name}=[masked]").into(),
                None if text.starts_with('-') && names_secret(text) => next_is_secret = true,
                _ => {}
            }
        }
    }
}

fn names_secret(name: &str) -> bool {
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|w| SECRET_WORDS.iter().any(|s| w.eq_ignore_ascii_case(s)))
}

#[cfg(test)]
mod tests {
    //! Secrets go, structure stays.

    use super::prune;
    use serde_json::json;

    #[test]
    fn secrets_and_ballast_go() {
        let mut o = json!({
            "metadata": {"name": "a", "managedFields": [1], "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "keep": "1"}},
            "data": {"k": "v"},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "c", "env": [{"name": "DB_PASSWORD", "value": "hunter2"}],
                "args": ["--token=abc", "--db-password", "hunter2", "--port=80", "--verbose"]}]}}}
        });
        prune(&mut o);
        let text = o.to_string();
        assert!(
            !text.contains("hunter2") && !text.contains("abc") && !text.contains("managedFields"),
            "{text}"
        );
        assert_eq!(
            o["spec"]["template"]["spec"]["containers"][0]["args"],
            json!(["--token=[masked]", "--db-password", "[masked]", "--port=80", "--verbose"])
        );
        assert_eq!(o["metadata"]["annotations"], json!({"keep": "1"}));
        assert_eq!(o["spec"]["replicas"], 2);
    }
}

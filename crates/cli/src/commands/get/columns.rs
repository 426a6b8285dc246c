//! Catalogue: which columns stand between state and age, by kind; keys are those of the API's `columns`.

/// Head and key of each.
pub fn of(kind: &str) -> &'static [(&'static str, &'static str)] {
    match kind {
        "Pod" => &[
            ("READY", "ready"),
            ("PHASE", "phase"),
            ("RESTARTS", "restarts"),
            ("NODE", "node"),
            ("IP", "ip"),
        ],
        "Node" => &[
            ("ROLES", "roles"),
            ("VERSION", "version"),
            ("OS", "os"),
            ("CPU", "cpu_allocatable"),
            ("MEMORY", "memory_allocatable"),
        ],
        "Deployment" | "StatefulSet" | "ReplicaSet" | "DaemonSet" => &[
            ("READY", "ready"),
            ("DESIRED", "desired"),
            ("UPDATED", "updated"),
            ("AVAILABLE", "available"),
            ("IMAGES", "images"),
        ],
        "Job" => &[
            ("DONE", "ready"),
            ("OF", "desired"),
            ("FAILED", "failed"),
            ("ACTIVE", "active"),
            ("IMAGES", "images"),
        ],
        "CronJob" => {
            &[("SCHEDULE", "schedule"), ("LAST", "last_schedule"), ("ACTIVE", "active"), ("IMAGES", "images")]
        }
        "PersistentVolumeClaim" | "PersistentVolume" => {
            &[("PHASE", "phase"), ("CAPACITY", "capacity"), ("CLASS", "class")]
        }
        "Namespace" => &[("PHASE", "phase")],
        _ => &[],
    }
}

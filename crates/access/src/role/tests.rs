//! The whole role and permission table, as a reviewable snapshot.

use expect_test::expect;

use super::*;

#[test]
fn table_of_roles_and_permissions() {
    let mut table = String::new();
    for p in Permission::ALL {
        let row: String =
            Role::ALL.iter().map(|r| if r.permissions().holds(*p) { " x" } else { " -" }).collect();
        table.push_str(&format!("{:<20}{row}\n", p.as_str()));
    }
    expect![[r#"
        org.manage           x - - - - - -
        org.delete           x - - - - - -
        idp.manage           x - - - - - -
        members.read         x x - - - x -
        members.edit         x x - - - - -
        roles.read           x x - - - x -
        roles.edit           x x - - - - -
        groups.read          x x - - - x -
        groups.edit          x x - - - - -
        keys.read            x x - - - x -
        keys.manage          x x - - - - -
        quotas.read          x x - - - x -
        clusters.manage      x x x - - - -
        agents.manage        x x x - - - -
        registries.manage    x x x - - - -
        integrations.manage  x x x - - - -
        channels.manage      x x x - - - -
        metrics.read         x x x x x - -
        logs.read            x x x x x - -
        traces.read          x x x x x - -
        events.read          x x x x x - -
        objects.read         x x x x x - -
        dashboards.read      x x x x x - -
        dashboards.edit      x x x x - - -
        rules.edit           x x x x - - -
        deploy.edit          x x x x - - -
        deploy.plan          x x x x - - -
        builds.run           x x x x - - -
        alerts.ack           x x x x - - -
        silences.edit        x x x x - - -
        debug.run            x x x x - - -
        exec.open            x x x - - - -
        portforward.open     x x x - - - -
        deploy.approve       x x x - - - -
        deploy.apply         x x x - - - -
        deploy.prune         x x x - - - -
        secrets.reveal       x - - - - - -
        export.run           x - - - - - -
        erase.run            x - - - - - -
        audit.read           x x - - - x -
        audit.verify         x x - - - x -
        ingest.write         x x x - - - x
    "#]]
    .assert_eq(&table);
}

#[test]
fn a_role_is_granted_only_by_one_who_holds_all_of_it() {
    assert!(Role::Owner.permissions().covers(Role::Admin.permissions()));
    assert!(!Role::Admin.permissions().covers(Role::Owner.permissions()));
    assert!(Role::Admin.permissions().covers(Role::Auditor.permissions()));
    assert!(!Role::Operator.permissions().covers(Role::Auditor.permissions()));
}

#[test]
fn names_round_trip() {
    for role in Role::ALL {
        assert_eq!(role.as_str().parse::<Role>().ok(), Some(role));
    }
    assert!("root".parse::<Role>().is_err());
}

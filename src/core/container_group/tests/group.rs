//! The group itself: made, put again, made anew.

use super::*;

#[test]
fn the_group_itself() {
    check(|_, _| (), 60, ready(Reason::InSync));
    check(|_, o| o.group = None, 60, does(Reason::Creating, "Put"));
    check(
        |_, o| (o.group, o.resource_group) = (None, false),
        60,
        does(Reason::Creating, "CreateResourceGroup"),
    );
    check(|_, o| (o.group, o.leaf) = (None, None), 60, does(Reason::Issuing, "IssueLeaf"));
    let busy = Provisioning::Busy("Creating".to_owned());
    check(|_, o| group(o).provisioning = busy, 60, waits(Reason::Provisioning));
    check(
        |_, o| group(o).provisioning = Provisioning::Failed,
        60,
        does(Reason::ProvisioningFailed, "Put"),
    );
    check(|_, o| group(o).properties["containers"][0]["image"] = json!("x"), 60, {
        does(Reason::Drifted, "Put")
    });
    check(|d, _| d.digest = "1.key.other".to_owned(), 60, does(Reason::Changed, "Put"));
    check(|d, _| d.digest = "1.lost.other".to_owned(), 60, does(Reason::Changed, "Tag"));
    check(|_, o| tag(o, "team", "x"), 60, does(Reason::Changed, "Tag"));
    check(|_, o| tag(o, "theirs", "x"), 60, ready(Reason::InSync));
    check(|d, _| d.want.0["containers"][0]["cpu"] = json!(2), 60, stalls(Reason::ApprovalRequired));
    check(
        |d, _| {
            d.want.0["containers"][0]["cpu"] = json!(2);
            d.allowed = Cost::Replace;
        },
        60,
        does(Reason::Replacing, "Delete"),
    );
    check(|_, o| o.requests.suspended = true, 60, ready(Reason::InSync));
    check(
        |_, o| {
            o.requests.suspended = true;
            o.group = None;
        },
        60,
        stalls(Reason::Suspended),
    );
}

#[test]
fn a_group_that_somebody_else_put_is_put_again_where_not_all_can_be_seen() {
    let replaced = |o: &mut Observed| {
        group(o).tags.remove(tags::DIGEST);
        group(o).containers[0].started = Some(at(30));
        o.memory.settled_start = None;
    };
    check(|_, o| replaced(o), 60, does(Reason::Changed, "Tag"));
    let secret = |d: &mut Desired, o: &mut Observed| {
        d.want.0["containers"][0]["key"] = json!("hunter2");
        replaced(o);
    };
    check(secret, 60, does(Reason::Drifted, "Put"));
    // What the manifest does not state is not compared: in place of ours there may be anything.
    let ours = |o: &mut Observed| {
        replaced(o);
        put(o, 0, Some(at(0)));
    };
    check(|_, o| ours(o), 60, does(Reason::Drifted, "Put"));
    check(
        |d, o| {
            ours(o);
            (d.tls, o.own) = (None, true);
        },
        60,
        does(Reason::Changed, "Tag"),
    );
}

#[test]
fn containers_that_ended() {
    for state in ["Succeeded", "Failed"] {
        let state = || Some(state.to_owned());
        // A service is made anew, since what ended cannot be updated; a job has done its work.
        check(|_, o| group(o).state = state(), 60, does(Reason::Terminated, "Delete"));
        let job = |d: &mut Desired, o: &mut Observed| {
            (d.service, d.tls, group(o).state) = (false, None, state());
        };
        check(job, 60, ready(Reason::Finished));
    }
    let stopped = || Some("Stopped".to_owned());
    check(|_, o| group(o).state = stopped(), 60, does(Reason::Drifted, "Put"));
    // ARM would refuse the PUT; where nothing runs, nothing is lost by making the group anew.
    let resized = |d: &mut Desired| {
        d.want.0["containers"][0]["cpu"] = json!(2);
        d.digest = "1.key.other".to_owned();
    };
    check(
        |d, o| {
            resized(d);
            group(o).state = stopped();
        },
        60,
        does(Reason::Drifted, "Delete"),
    );
    check(
        |d, o| {
            resized(d);
            group(o).provisioning = Provisioning::Failed;
        },
        60,
        stalls(Reason::ApprovalRequired),
    );
}

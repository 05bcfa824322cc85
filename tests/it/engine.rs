//! The Docker engine of local Azure, against a real one.
//!
//! Needs Docker or Podman, and the image `debian:forky-slim`. Each test has a state directory id of
//! its own and resets it at the end, failed or not.

mod azure;
mod metadata;
mod storage;
mod support;

use std::collections::BTreeMap;

use aci_operator::emulator::engine::{
    Engine as _, EngineError, ProbeAction, ProbeRun, RestartPolicy, TerminalSize, VolumeRun,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use self::support::*;

#[tokio::test]
async fn a_group_shares_one_network() {
    with_engine(async |engine| {
        let call = "until exec 3<>/dev/tcp/127.0.0.1/8080; do sleep 0.1; done 2>/dev/null
                    echo GET >&3; head -n1 <&3; grep -c '^127.0.0.1.*localhost' /etc/hosts";
        let serve = container("server", &["perl", "-e", SERVE, "0.0.0.0", "8080"]);
        let mut run = group(vec![serve, shell("client", call)]);
        run.ports = vec![8080, 8081];
        let endpoints = engine.start("a", &run).await.unwrap();
        // The same ports side by side: the other group has a network of its own.
        let other = engine.start("b", &run).await.unwrap();
        assert!(endpoints.keys().eq([&8080, &8081]) && other.keys().eq([&8080, &8081]));
        assert_ne!(endpoints[&8080], other[&8080]);
        assert_eq!(engine.endpoints("a").await.unwrap(), endpoints);
        for group in ["a", "b"] {
            let seen = output(&engine, group, "client").await;
            assert!(seen.starts_with("HTTP/1.1 204") && !seen.ends_with("\n0\n"), "{seen}");
        }
        for address in [endpoints[&8080], other[&8080]] {
            assert!(address.ip().is_loopback());
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
        }
        engine.remove("a").await.unwrap();
        assert!(engine.inspect("a").await.unwrap().is_empty());
        assert!(matches!(engine.endpoints("a").await, Err(EngineError::NotFound(_))));
        assert!(engine.inspect("b").await.unwrap()["server"].running);
        engine.remove("a").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_empty_dir_outlives_a_crash_but_not_the_group() {
    with_engine(async |engine| {
        // One line each run; /usr/lib has content in the image that must not appear.
        let mut writer = shell("writer", "echo run >>/d/runs; ls -A /usr/share; wc -l </d/runs");
        writer.command[2].push_str("; stat -f -c %T /d; sleep 9999");
        writer.mounts = vec![mount("data", "/d"), mount("hidden", "/usr/share")];
        let mut reader = shell("reader", "until test $(wc -l <r/runs) = 2; do sleep 0.1; done");
        reader.command[2].insert_str(0, "cd /; ");
        reader.mounts = vec![mount("data", "/r")];
        let mut run = group(vec![writer, reader]);
        run.restart = RestartPolicy::OnFailure;
        run.volumes = ["data", "hidden"].map(|v| (v.to_owned(), VolumeRun::EmptyDir)).into();
        engine.start("g", &run).await.unwrap();
        let shown = logs_when(&engine, "g", "writer", "tmpfs").await;
        assert_eq!(shown, "1\ntmpfs\n");
        engine.kill("g", "writer").await.unwrap();
        // The reader sees the second line, so it is the same volume and the first line is there.
        let reader = state_when(&engine, "g", "reader", |s| s.exit_code.is_some()).await;
        assert_eq!(reader.exit_code, Some(0));
        engine.start("g", &run).await.unwrap();
        let again = logs_when(&engine, "g", "writer", "tmpfs").await;
        assert_eq!(again, "1\ntmpfs\n");
    })
    .await;
}

#[tokio::test]
async fn secret_files_are_in_memory_and_nowhere_else() {
    with_id(async |id| {
        let engine = connect(&id).await;
        let look = "cd /run/tls; stat -f -c %T .; stat -c '%n %a' *; cat key.pem; md5sum big
                    touch x 2>/dev/null || echo read-only";
        let mut reader = shell("reader", look);
        reader.mounts = vec![mount("tls", "/run/tls")];
        reader.environment = vec![("MODE".to_owned(), "a=b c".to_owned())];
        let mut run = group(vec![reader]);
        let big = b"0123456789abcdef".repeat(64 * 1024);
        let files = [("key.pem", b"PRIVATE-BYTES\n".to_vec()), ("big", big)];
        run.volumes = [(
            "tls".to_owned(),
            VolumeRun::Secret(files.map(|(name, bytes)| (name.to_owned(), bytes)).into()),
        )]
        .into();
        engine.start("g", &run).await.unwrap();
        let seen = output(&engine, "g", "reader").await;
        let lines: Vec<_> = seen.lines().collect();
        assert_eq!(lines[..4], ["tmpfs", "big 644", "key.pem 644", "PRIVATE-BYTES"]);
        assert_eq!(lines[4], "14d785daab3823736c981ca82a750c98  big");
        assert_eq!(lines[5], "read-only");

        let inspected = inspect_all(&id).await;
        assert!(inspected.contains("MODE=a=b c"));
        assert!(!inspected.contains("PRIVATE-BYTES"));
        for name in ["../escape", "a/b", ""] {
            let files = BTreeMap::from([(name.to_owned(), Vec::new())]);
            run.volumes = [("tls".to_owned(), VolumeRun::Secret(files))].into();
            assert!(matches!(engine.start("g", &run).await, Err(EngineError::Refused(_))));
        }
    })
    .await;
}

#[tokio::test]
async fn the_restart_policy_decides() {
    with_engine(async |engine| {
        for (policy, code, restarts) in [
            (RestartPolicy::Never, 3, false),
            (RestartPolicy::OnFailure, 0, false),
            (RestartPolicy::OnFailure, 3, true),
            (RestartPolicy::Always, 0, true),
        ] {
            let mut run = group(vec![
                shell("job", &format!("exit {code}")),
                shell("bystander", "sleep 9999"),
            ]);
            run.restart = policy;
            engine.start("g", &run).await.unwrap();
            let state = state_when(&engine, "g", "job", |s| {
                s.exit_code.is_some() && s.restart_count >= u32::from(restarts) * 2
            })
            .await;
            assert_eq!(state.exit_code, Some(code), "{policy:?}");
            assert!(state.started_at.is_some() && state.finished_at.is_some());
            assert_eq!(state.restart_count > 0, restarts, "{policy:?} {code}");
            let bystander = &engine.inspect("g").await.unwrap()["bystander"];
            assert_eq!((bystander.running, bystander.restart_count), (true, 0));
            assert_eq!((bystander.exit_code, bystander.ready), (None, true));
        }
    })
    .await;
}

#[tokio::test]
async fn a_crash_is_seen_and_mended_also_by_the_next_process() {
    with_id(async |id| {
        let engine = connect(&id).await;
        let mut run = group(vec![shell("app", "sleep 9999")]);
        run.restart = RestartPolicy::OnFailure;
        run.ports = vec![80];
        let endpoints = engine.start("g", &run).await.unwrap();
        let before = engine.inspect("g").await.unwrap()["app"].clone();
        engine.kill("g", "app").await.unwrap();
        let after = state_when(&engine, "g", "app", |s| s.running && s.restart_count == 1).await;
        assert_eq!(after.exit_code, Some(137));
        assert!(after.started_at > before.started_at && after.finished_at >= before.started_at);

        drop(engine);
        let engine = connect(&id).await;
        assert_eq!(engine.endpoints("g").await.unwrap(), endpoints);
        assert!(engine.inspect("g").await.unwrap()["app"].running);
        engine.kill("g", "app").await.unwrap();
        state_when(&engine, "g", "app", |s| s.running && s.restart_count == 1).await;
    })
    .await;
}

#[tokio::test]
async fn exec_is_a_terminal() {
    with_engine(async |engine| {
        engine.start("g", &group(vec![shell("app", "sleep 9999")])).await.unwrap();
        // Read back through the terminal itself: `$((6*7))` is 42 only in the answer.
        let shown = session(&engine, "g", "app", "echo shown-$((6*7)); exit\n").await;
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.contains("echo shown-$((6*7)); exit\r\n"), "{shown:?}");
        assert!(shown.contains("shown-42\r\n"), "{shown:?}");

        // Without echo nothing of what is typed comes back; long input arrives whole.
        let size = TerminalSize { rows: 31, cols: 97 };
        let mut stream = engine.exec("g", "app", "/bin/sh", size).await.unwrap();
        stream.write_all(b"stty -echo; PS1=; echo off-$((1+1))\n").await.unwrap();
        let mut shown = Vec::new();
        while !String::from_utf8_lossy(&shown).contains("off-2\r\n") {
            assert_ne!(stream.read_buf(&mut shown).await.unwrap(), 0);
        }
        let line = format!("printf %s {} >>/tmp/in\n", "k".repeat(900));
        stream.write_all(line.repeat(100).as_bytes()).await.unwrap();
        stream.write_all(b"stty size; wc -c </tmp/in; exit\n").await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "31 97\r\n90000\r\n");

        // Bytes that Docker's framing of logs would take for headers.
        let binary = "stty raw -echo; PS1=; printf '\\001\\002\\000\\001'; exit\n";
        let shown = session(&engine, "g", "app", binary).await;
        assert!(shown.ends_with(&[1, 2, 0, 1]), "{shown:?}");

        let mut broken = engine.exec("g", "app", "/no/such/shell", size).await.unwrap();
        let mut shown = String::new();
        broken.read_to_string(&mut shown).await.unwrap();
        assert!(shown.contains("/no/such/shell"), "{shown:?}");
        let missing = engine.exec("g", "none", "/bin/sh", size).await.err().unwrap();
        assert!(matches!(missing, EngineError::NotFound(_)), "{missing}");
    })
    .await;
}

#[tokio::test]
async fn logs_have_tails_and_times() {
    with_engine(async |engine| {
        let run = group(vec![shell("app", "for i in 1 2 3; do echo l$i; done; echo err >&2")]);
        engine.start("g", &run).await.unwrap();
        let all = output(&engine, "g", "app").await;
        let mut lines: Vec<_> = all.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["err", "l1", "l2", "l3"]);
        assert_eq!(engine.logs("g", "app", Some(2), false).await.unwrap().lines().count(), 2);
        let stamped = engine.logs("g", "app", None, true).await.unwrap();
        for line in stamped.lines() {
            let (time, text) = line.split_once(' ').unwrap();
            assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{line}");
            assert!(lines.contains(&text), "{line}");
        }
        let missing = engine.logs("g", "none", None, false).await;
        assert!(matches!(missing, Err(EngineError::NotFound(_))));
    })
    .await;
}

#[tokio::test]
async fn limits_hold_in_the_container() {
    with_engine(async |engine| {
        let read = "cd /sys/fs/cgroup
            cat memory.max 2>/dev/null || cat memory/memory.limit_in_bytes
            if test -e cpu.max; then cut -d' ' -f1 cpu.max; else cat cpu/cpu.cfs_quota_us; fi";
        let mut limited = shell("limited", read);
        // More cores than any machine of these tests: a plan must not depend on the laptop.
        (limited.cpu, limited.memory_gib) = (512.0, 0.5);
        let mut half = shell("half", read);
        half.cpu = 0.5;
        engine.start("g", &group(vec![limited, half])).await.unwrap();
        assert_eq!(output(&engine, "g", "limited").await, "536870912\n51200000\n");
        assert_eq!(output(&engine, "g", "half").await, "268435456\n50000\n");
    })
    .await;
}

#[tokio::test]
async fn init_containers_run_first_and_in_order() {
    with_engine(async |engine| {
        let mut steps = ["one", "two", "main"].map(|name| {
            let mut step = shell(name, &format!("echo {name} >>/d/log; cat /d/log"));
            step.mounts = vec![mount("d", "/d")];
            step
        });
        steps[0].command[2].push_str("; test $(wc -l </d/log) -ge 2");
        let mut run = group(vec![steps[2].clone()]);
        run.init_containers = steps[..2].to_vec();
        run.volumes = [("d".to_owned(), VolumeRun::EmptyDir)].into();
        // `one` fails its first run: that is the end under `Never`.
        let failed = engine.start("g", &run).await.unwrap_err();
        assert_eq!(
            failed.to_string(),
            "container engine: init container `one` ended with exit code 1"
        );
        assert_eq!(engine.logs("g", "one", None, false).await.unwrap(), "one\n");
        let states = engine.inspect("g").await.unwrap();
        assert!(states.keys().eq(["one"]));
        assert_eq!(states["one"].exit_code, Some(1));

        run.restart = RestartPolicy::OnFailure;
        engine.start("g", &run).await.unwrap();
        assert_eq!(output(&engine, "g", "main").await, "one\none\ntwo\nmain\n");
    })
    .await;
}

#[tokio::test]
async fn probes_run_inside_the_group() {
    with_engine(async |engine| {
        let probe = |action| ProbeRun {
            action,
            initial_delay_seconds: 0,
            period_seconds: 1,
            timeout_seconds: 5,
            failure_threshold: 2,
            success_threshold: 1,
        };
        let get = |port| probe(ProbeAction::HttpGet { path: "/healthz".to_owned(), port });
        let exec = |command: &[&str]| {
            probe(ProbeAction::Exec(command.iter().map(|&part| part.to_owned()).collect()))
        };
        // Bound to the group's loopback: nothing outside the namespace can reach it.
        let mut server = container("server", &["perl", "-e", SERVE, "127.0.0.1", "9000"]);
        (server.readiness, server.liveness) = (Some(get(9000)), Some(get(9000)));
        let mut deaf = shell("deaf", "sleep 9999");
        deaf.readiness = Some(get(9001));
        let mut flag = shell("flag", "touch /tmp/up; sleep 9999");
        flag.readiness = Some(exec(&["test", "-e", "/tmp/up"]));
        let mut sick = shell("sick", "sleep 9999");
        sick.liveness = Some(exec(&["/bin/false"]));
        let mut run = group(vec![server, deaf, flag, sick]);
        run.restart = RestartPolicy::Always;
        engine.start("g", &run).await.unwrap();
        state_when(&engine, "g", "server", |s| s.ready).await;
        state_when(&engine, "g", "flag", |s| s.ready).await;
        let sick = state_when(&engine, "g", "sick", |s| s.restart_count >= 2).await;
        assert_eq!(sick.exit_code, Some(137));
        let states = engine.inspect("g").await.unwrap();
        assert!(states["deaf"].running && !states["deaf"].ready);
        assert_eq!((states["server"].ready, states["server"].restart_count), (true, 0));
    })
    .await;
}

#[tokio::test]
async fn reset_removes_its_own_only() {
    with_id(async |id| {
        with_engine(async |other| {
            let mut run = group(vec![shell("app", "sleep 9999")]);
            run.volumes = [("d".to_owned(), VolumeRun::EmptyDir)].into();
            run.restart = RestartPolicy::Always;
            let engine = connect(&id).await;
            for group in ["a", "b"] {
                engine.start(group, &run).await.unwrap();
            }
            other.start("a", &run).await.unwrap();
            engine.reset().await.unwrap();
            assert_eq!(left(&id).await, 0);
            assert!(other.inspect("a").await.unwrap()["app"].running);
            engine.start("a", &run).await.unwrap();
        })
        .await;
        assert_ne!(left(&id).await, 0);
    })
    .await;
}

/// How many containers, volumes and images carry an id.
async fn left(id: &str) -> usize {
    use bollard::query_parameters::{
        ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListVolumesOptionsBuilder,
    };
    let api = raw_api();
    let filters = [("label".to_owned(), vec![format!("io.aci-operator.local={id}")])].into();
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let containers = api.list_containers(Some(options)).await.unwrap().len();
    let options = ListVolumesOptionsBuilder::default().filters(&filters).build();
    let volumes = api.list_volumes(Some(options)).await.unwrap().volumes.unwrap_or_default().len();
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    containers + volumes + api.list_images(Some(options)).await.unwrap().len()
}

#[tokio::test]
async fn what_cannot_be_run_is_told() {
    with_engine(async |engine| {
        let mut absent = container("app", &[]);
        for image in ["127.0.0.1:1/none:1", "../../etc", "a b"] {
            image.clone_into(&mut absent.image);
            let error = engine.start("g", &group(vec![absent.clone()])).await.unwrap_err();
            assert!(matches!(&error, EngineError::Image { image: i, .. } if i == image), "{error}");
        }
        let command = group(vec![container("app", &["/no/such/program"])]);
        assert!(engine.start("g", &command).await.is_err());
        let mut lost = shell("app", "true");
        lost.mounts = vec![mount("none", "/d")];
        let error = engine.start("g", &group(vec![lost])).await.unwrap_err();
        assert!(error.to_string().contains("no such volume"), "{error}");
        let missing = engine.kill("g", "none").await.unwrap_err();
        assert!(matches!(missing, EngineError::NotFound(_)));
    })
    .await;
}

#[tokio::test]
async fn an_image_keeps_its_own_command_unless_told() {
    with_id(async |id| {
        let image = make_image(&id).await;
        let mut own = container("own", &[]);
        let mut given = container("given", &["/bin/echo", "one  argument", "$HOME"]);
        image.clone_into(&mut own.image);
        image.clone_into(&mut given.image);
        // Another name of the same local image.
        let mut long = container("long", &["/bin/true"]);
        long.image = format!("docker.io/library/{IMAGE}");
        let engine = connect(&id).await;
        engine.start("g", &group(vec![own, given, long])).await.unwrap();
        assert_eq!(output(&engine, "g", "own").await, "entry point and arguments\n");
        assert_eq!(output(&engine, "g", "given").await, "one  argument $HOME\n");
        let long = state_when(&engine, "g", "long", |s| s.exit_code.is_some()).await;
        assert_eq!(long.exit_code, Some(0));
    })
    .await;
}

/// Commits an image with an entry point and arguments; `reset` removes it by its label.
async fn make_image(id: &str) -> String {
    use bollard::models::{ContainerConfig, ContainerCreateBody};
    use bollard::query_parameters::{
        CommitContainerOptionsBuilder, CreateContainerOptions, RemoveContainerOptions,
    };
    let (api, image) = (raw_api(), format!("localhost/{id}:1"));
    let body = ContainerCreateBody {
        image: Some(IMAGE.to_owned()),
        cmd: Some(vec!["/bin/true".to_owned()]),
        ..ContainerCreateBody::default()
    };
    let made = api.create_container(None::<CreateContainerOptions>, body).await.unwrap().id;
    let changes = format!(
        "ENTRYPOINT [\"/bin/echo\", \"entry point\"]\n\
         CMD [\"and arguments\"]\n\
         LABEL io.aci-operator.local={id}"
    );
    let options = CommitContainerOptionsBuilder::default()
        .container(&made)
        .repo(&format!("localhost/{id}"))
        .tag("1")
        .changes(&changes)
        .build();
    api.commit_container(options, ContainerConfig::default()).await.unwrap();
    api.remove_container(&made, None::<RemoveContainerOptions>).await.unwrap();
    image
}

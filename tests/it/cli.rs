//! The command line as a script meets it: the built binary.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs};

use clap::Command as Tree;

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aci-operator"));
        command.args(args).stdin(Stdio::null()).env_clear();
        command.env("ACI_OPERATOR_HOME", self.0.path());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Every command below `tree` that can be called, as the words that call it.
fn leaves(tree: &Tree, words: &[String]) -> Vec<Vec<String>> {
    if !tree.has_subcommands() {
        return vec![words.to_vec()];
    }
    let below = tree.get_subcommands().filter(|sub| !sub.is_hide_set());
    below.flat_map(|sub| leaves(sub, &[words, &[sub.get_name().to_owned()]].concat())).collect()
}

#[test]
fn every_command_has_help_with_an_example() {
    let home = Home::new();
    let all = leaves(&aci_operator::cli::command(), &[]);
    assert!(all.len() > 40, "{all:?}");
    for words in all {
        let mut args: Vec<_> = words.iter().map(String::as_str).collect();
        args.push("--help");
        let output = home.run(&args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        let text = stdout(&output);
        assert!(text.contains("Example") && text.contains("aci-operator "), "{args:?}: {text}");
    }
}

#[test]
fn the_documentation_is_the_help() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    let generated = documentation();
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &generated).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap();
    assert!(
        found == generated,
        "run `UPDATE_DOCS=1 cargo test --test it cli::` and commit docs/cli.md"
    );
}

fn documentation() -> String {
    let mut tree = aci_operator::cli::command().term_width(100);
    tree.build();
    let mut text =
        "# Command line\n\nWritten by `UPDATE_DOCS=1 cargo test --test it cli::`; do not edit.\n"
            .to_owned();
    document(tree, true, &mut text);
    text
}

fn document(tree: Tree, root: bool, text: &mut String) {
    // The global options are told once, at the root.
    let tree = tree.term_width(100).mut_args(|arg| {
        let hide = arg.is_hide_set() || (!root && arg.is_global_set());
        arg.hide(hide)
    });
    let name = tree.get_bin_name().unwrap_or_else(|| tree.get_name()).to_owned();
    let help = tree.clone().render_long_help().to_string();
    let lines: Vec<_> = help.lines().map(str::trim_end).collect();
    let _ = write!(text, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    for sub in tree.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        document(sub.clone(), false, text);
    }
}

#[test]
fn the_version_is_told() {
    let home = Home::new();
    let text = stdout(&home.run(&["version"]));
    assert!(text.starts_with(concat!("aci-operator ", env!("CARGO_PKG_VERSION"))), "{text}");
    let document: serde_json::Value =
        serde_json::from_str(&stdout(&home.run(&["version", "-o", "json"]))).unwrap();
    assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
    assert!(document.as_object().unwrap().contains_key("commit"));
    let yaml = stdout(&home.run(&["version", "-o", "yaml"]));
    assert!(yaml.contains(env!("CARGO_PKG_VERSION")), "{yaml}");
}

#[test]
fn completions_are_scripts_that_shells_read() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = home.run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(stdout(&output).contains("aci-operator"), "{shell}");
    }
    let script = home.run(&["completions", "bash"]).stdout;
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(&script).unwrap();
    assert!(bash.wait().unwrap().success());
}

#[test]
fn wrong_calls_end_with_2_and_say_why() {
    let home = Home::new();
    for (args, word) in [
        (&["frobnicate"][..], "unrecognized subcommand"),
        (&["get", "-o", "xml"], "possible values: table, wide, json, yaml, name"),
        (&["get", "pod/x"], "no kind"),
        (&["get", "pod", "x"], "no kind"),
        (&["get", "issuers", "--live"], "container groups only"),
        (&["wait", "x", "--for", "condition=Nice"], "no condition"),
        (&["wait", "x", "--for", "condition=Ready", "--timeout", "soon"], "no duration"),
        (&["get", "--cloud", "mars"], "possible values: public, china, usgov, local"),
        (&["exec", "x"], "required"),
        (&["apply"], "--filename"),
        (&["local", "fault", "throttle", "--operation", "sing"], "possible values"),
    ] {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(word), "{args:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{args:?}");
    }
}

#[test]
fn no_home_is_an_error_with_a_remedy() {
    let output = Home::new().command(&["get"]).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--home DIR"), "{}", stderr(&output));
}

#[test]
fn local_azure_that_does_not_run_says_so() {
    let home = Home::new();
    for args in [&["local", "status"][..], &["local", "reset"], &["local", "fault", "clear"]] {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains("aci-operator local up"), "{args:?}: {}", stderr(&output));
    }
    let output = home.run(&["local", "down"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("did not run"));
    let quiet = home.run(&["local", "down", "-q"]);
    assert_eq!(stderr(&quiet), "");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = Home::new();
    let mut child = home
        .command(&["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stderr(&output), "");
}

#[test]
fn no_colour_where_there_is_no_terminal() {
    let home = Home::new();
    for args in [&["--help"][..], &["get", "pod/x"], &["frobnicate"]] {
        let output = home.run(args);
        let text = stdout(&output) + &stderr(&output);
        assert!(!text.contains('\u{1b}'), "{args:?}: {text:?}");
    }
}

#[test]
fn the_log_filter_is_checked() {
    let home = Home::new();
    let output = home.command(&["version"]).env("RUST_LOG", "a=b=c").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("RUST_LOG"), "{}", stderr(&output));
}

/// Where the home is by default, as seen in the log's path of a local Azure that never ran.
#[test]
fn the_home_follows_the_xdg_state_directory() {
    let dir = tempfile::tempdir().unwrap();
    let run = |name: &str, value: PathBuf| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aci-operator"));
        let output = command.args(["local", "logs"]).env_clear().env(name, value).output().unwrap();
        stderr(&output)
    };
    let text = run("XDG_STATE_HOME", dir.path().join("state"));
    let want = dir.path().join("state/aci-operator/local/log");
    assert!(text.contains(want.to_str().unwrap()), "{text}");
    let text = run("HOME", dir.path().to_owned());
    let want = dir.path().join(".local/state/aci-operator/local/log");
    assert!(text.contains(want.to_str().unwrap()), "{text}");
}

const GROUP: &str = "\
apiVersion: aci-operator.io/v1alpha1
kind: ContainerGroup
metadata: {name: app}
spec:
  resourceGroup: mon-groupe
  location: westeurope
  containers:
  - name: api
    image: example.test/api:1
    resources: {requests: {cpu: 1, memoryInGB: 1}}
    environmentVariables:
    - {name: PASSWORD, secureValueFrom: {secret: {name: db, key: password}}}
";

#[test]
fn validate_tells_the_place_and_the_remedy() {
    let home = Home::new();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.yaml");
    let path = file.to_str().unwrap();
    fs::write(&file, GROUP).unwrap();
    let output = home.run(&["validate", "-f", path]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), format!("{path}:1: containergroup/app valid\n"));

    fs::write(&file, GROUP.replace("location", "loction")).unwrap();
    let output = home.run(&["validate", "-f", path]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains(&format!("{path}:6:3: ")) && text.contains("`location`"), "{text}");
    let output = home.run(&["validate", "-f", path, "-o", "json"]);
    let document: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(document["valid"], false);

    fs::write(&file, format!("{GROUP}---\n{GROUP}")).unwrap();
    let output = home.run(&["validate", "-f", path]);
    assert_eq!(output.status.code(), Some(1), "two documents with one name");
    assert_eq!(home.run(&["validate", "-f", "/nonexistent"]).status.code(), Some(2));
    assert!(!home.0.path().join("home").exists(), "no home is needed, and none is made");
}

/// A local Azure that is stopped when the test ends, also when it fails.
struct LocalAzure<'a>(&'a Home);

impl<'a> LocalAzure<'a> {
    fn up(home: &'a Home) -> Self {
        let output = home.run(&["local", "up", "--engine", "none"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        Self(home)
    }
}

impl Drop for LocalAzure<'_> {
    fn drop(&mut self) {
        self.0.run(&["local", "down"]);
    }
}

#[test]
fn a_manifest_becomes_a_group_and_goes_again() {
    let home = Home::new();
    let _azure = LocalAzure::up(&home);
    let again = home.run(&["local", "up", "--engine", "none"]);
    assert_eq!(again.status.code(), Some(0), "one that runs is left as it is");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.yaml");
    let path = file.to_str().unwrap();
    fs::write(&file, GROUP).unwrap();

    set_secret(&home, b"s3cret-of-the-test\n");
    assert_eq!(stdout(&home.run(&["secret", "list", "-o", "name"])), "db\n");
    assert_eq!(home.run(&["diff", "-f", path]).status.code(), Some(1), "it is new");
    let output = home.run(&["apply", "-f", path, "--timeout", "60s"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "containergroup/app ready\n");
    assert_eq!(home.run(&["diff", "-f", path]).status.code(), Some(0));
    assert_eq!(puts(&home), 1);
    let output = home.run(&["apply", "-f", path]);
    assert_eq!((output.status.code(), puts(&home)), (Some(0), 1), "nothing to do");

    let output = home.run(&["get", "app", "-o", "json"]);
    let document: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(document["kind"], "ContainerGroup");
    assert_eq!(document["metadata"]["generation"], 1);
    assert_eq!(document["status"]["provisioningState"], "Succeeded");
    assert!(stderr(&output).contains("no daemon is running"));
    let table = stdout(&home.run(&["get"]));
    assert!(table.starts_with("NAME   READY   IP"), "{table}");
    assert!(stdout(&home.run(&["get", "--live"])).contains("mon-groupe"));
    assert_eq!(stdout(&home.run(&["get", "-o", "name"])), "containergroup/app\n");
    let output = home.run(&["wait", "app", "--for", "condition=Ready", "--timeout", "1s"]);
    assert_eq!(output.status.code(), Some(0));

    let shown = home.run(&["render", "-f", path, "--show-secrets"]);
    assert!(stdout(&shown).contains("'s3cret-of-the-test'"), "one line end is not part of it");
    let elided = home.run(&["render", "-f", path]);
    assert!(!stdout(&elided).contains("s3cret"), "{}", stdout(&elided));

    let output = home.run(&["delete", "app"]);
    assert_eq!(output.status.code(), Some(2), "the manifest is there");
    assert!(stderr(&output).contains("still wanted"), "{}", stderr(&output));
    fs::remove_file(&file).unwrap();
    let output = home.run(&["delete", "app", "--timeout", "60s"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = home.run(&["get"]);
    assert_eq!((stdout(&output), output.status.code()), (String::new(), Some(0)));
    assert!(stderr(&output).contains("No objects found"));
    assert_eq!(home.run(&["get", "app"]).status.code(), Some(2));
}

#[test]
fn a_daemon_is_asked_and_a_second_one_refused() {
    let home = Home::new();
    let _azure = LocalAzure::up(&home);
    let dir = tempfile::tempdir().unwrap();
    let manifests = dir.path().to_str().unwrap();
    fs::write(dir.path().join("app.yaml"), GROUP).unwrap();
    set_secret(&home, b"x");
    let run = ["run", "-f", manifests, "--listen", "127.0.0.1:0"];
    let mut daemon = Daemon(home.command(&run).stderr(Stdio::piped()).spawn().unwrap());
    let output = home.run(&["wait", "app", "--for", "condition=Ready", "--timeout", "60s"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for args in [&run[..], &["apply", "-f", manifests]] {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("a daemon holds the home"), "{}", stderr(&output));
    }
    assert!(!stderr(&home.run(&["get"])).contains("no daemon"));
    assert_eq!(home.run(&["suspend", "app", "--timeout", "60s"]).status.code(), Some(0));
    assert!(stdout(&home.run(&["get"])).contains("Suspended"));
    assert_eq!(home.run(&["resume", "app", "--timeout", "60s"]).status.code(), Some(0));
    let pid = rustix::process::Pid::from_child(&daemon.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0), "SIGTERM is a graceful end");
}

/// A daemon that does not outlive a test that fails.
struct Daemon(std::process::Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn set_secret(home: &Home, value: &[u8]) {
    let mut command = home.command(&["secret", "set", "db", "password"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(value).unwrap();
    assert!(child.wait().unwrap().success());
}

/// PUTs of container groups that local Azure has seen.
fn puts(home: &Home) -> u64 {
    let text = stdout(&home.run(&["local", "status", "-o", "json"]));
    let status: serde_json::Value = serde_json::from_str(&text).unwrap();
    status["requests"]["put"].as_u64().unwrap_or_default()
}

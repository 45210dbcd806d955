//! Credential plugins: programs that a kubeconfig names, and that print who weir is
//! (<https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins>).
//!
//! kube runs them too: twice for each client, on a thread that waits for as long as they take, and
//! without a word of when a certificate expires. So it is not given them, but what they print.
//!
//! Constraints:
//!
//! - A plugin that hangs is ended, and takes no thread meanwhile.
//! - Nothing that it was given (arguments, environment) and nothing of its stdout is ever shown: of
//!   one that fails, the name, the status and a line of stderr are.

use std::io::{self, IsTerminal};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use ::kube::config::{AuthInfo, ExecAuthCluster, ExecConfig, ExecInteractiveMode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::said::{first_line, line};

/// How long one may take that asks nobody.
const TIME_MAX: Duration = Duration::from_secs(25);
/// How long one may take at a terminal, where somebody may have to log in.
const INTERACTIVE_TIME_MAX: Duration = Duration::from_secs(300);
/// A token, or a chain of certificates and a key, is far smaller.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// How much of stderr is looked at for its first line.
const STDERR_BYTES: u64 = 4 << 10;

/// Why a plugin gave no credentials.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The kubeconfig does not say which program it is.
    #[error("the kubeconfig's `exec` has no `command`")]
    NoCommand,
    /// It cannot be started.
    #[error(
        "cannot run the credential plugin `{name}`: {error}: is it installed, and in weir's PATH?"
    )]
    Start {
        /// Which program.
        name: String,
        /// What the system says.
        error: io::Error,
    },
    /// It failed.
    #[error("the credential plugin `{name}` ended with {status}{stderr}")]
    Failed {
        /// Which program.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// The first line that it wrote there, behind a colon.
        stderr: String,
    },
    /// It takes too long.
    #[error("the credential plugin `{name}` did not end within {limit:?}, and was ended")]
    Slow {
        /// Which program.
        name: String,
        /// How long it may take.
        limit: Duration,
    },
    /// What it printed is no answer.
    #[error("the credential plugin `{name}` printed {what}")]
    Answer {
        /// Which program.
        name: String,
        /// What instead.
        what: &'static str,
    },
}

/// What it is told, and what it answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<&'a str>,
    spec: Spec<'a>,
}

#[derive(Serialize)]
struct Spec<'a> {
    interactive: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a ExecAuthCluster>,
}

#[derive(Deserialize)]
struct Answer {
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    expiration_timestamp: Option<String>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

/// Asks the plugin that `auth` names, if its credentials are what would be used, and puts them in
/// its place. When they expire, as far as it says.
pub(super) async fn ask(auth: &mut AuthInfo) -> Result<Option<Timestamp>, PluginError> {
    let Some(exec) = auth.exec.take() else { return Ok(None) };
    let has_basic = auth.username.is_some() && auth.password.is_some();
    // In the order in which kube looks for them.
    if auth.auth_provider.is_some() || has_basic || auth.token.is_some() {
        return Ok(None);
    }
    let is_interactive =
        exec.interactive_mode != Some(ExecInteractiveMode::Never) && io::stdin().is_terminal();
    let limit = if is_interactive { INTERACTIVE_TIME_MAX } else { TIME_MAX };
    let status = ask_within(&exec, is_interactive, limit).await?;
    let name = exec.command.as_deref().unwrap_or_default();
    give(status, auth).map_err(|what| PluginError::Answer { name: line(name), what })
}

async fn ask_within(
    exec: &ExecConfig,
    is_interactive: bool,
    limit: Duration,
) -> Result<Status, PluginError> {
    let command = exec.command.as_deref().filter(|name| !name.is_empty());
    let command = command.ok_or(PluginError::NoCommand)?;
    let name = || line(command);
    let started = start(exec, command, is_interactive);
    let child = started.map_err(|error| PluginError::Start { name: name(), error })?;
    let ended = tokio::time::timeout(limit, finish(child));
    let ended = ended.await.map_err(|_| PluginError::Slow { name: name(), limit })?;
    let (status, stdout, stderr) =
        ended.map_err(|error| PluginError::Start { name: name(), error })?;
    if !status.success() {
        return Err(PluginError::Failed { name: name(), status, stderr: first_line(&stderr) });
    }
    let wrong = |what| PluginError::Answer { name: name(), what };
    if stdout.len() as u64 > ANSWER_BYTES_MAX {
        return Err(wrong("more than 1 MiB"));
    }
    // YAML as well as JSON: client-go reads both.
    let answer: Result<Answer, _> = serde_saphyr::from_slice(&stdout);
    let answer = answer.map_err(|_| wrong("something else than an ExecCredential"))?;
    answer.status.ok_or_else(|| wrong("an ExecCredential without a status"))
}

fn start(exec: &ExecConfig, name: &str, is_interactive: bool) -> io::Result<Child> {
    let cluster = exec.cluster.as_ref().filter(|_| exec.provide_cluster_info);
    let question = Question {
        kind: "ExecCredential",
        api_version: exec.api_version.as_deref(),
        spec: Spec { interactive: is_interactive, cluster },
    };
    let mut command = Command::new(name);
    command.args(exec.args.iter().flatten());
    let pairs = exec.env.iter().flatten();
    command.envs(pairs.filter_map(|pair| Some((pair.get("name")?, pair.get("value")?))));
    command.env("KUBERNETES_EXEC_INFO", serde_json::to_string(&question)?);
    command.stdout(Stdio::piped()).kill_on_drop(true);
    if is_interactive {
        command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
    } else {
        // In a group of its own, which is ended with it: a shell may have started the one that
        // hangs.
        command.stdin(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    }
    command.spawn()
}

/// Ends whatever the plugin has started, unless it has ended by itself.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // One that is not there any more needs no end.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// How it ended, and what it wrote.
async fn finish(mut child: Child) -> io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let stderr = child.stderr.take();
    // Without a stderr of its own it is not in a group of its own either.
    let id = child.id().filter(|_| stderr.is_some());
    let mut group = Group(id.and_then(|id| Pid::from_raw(id.cast_signed())));
    let stdout = read(child.stdout.take(), ANSWER_BYTES_MAX + 1);
    let (stdout, stderr) = tokio::join!(stdout, read(stderr, STDERR_BYTES));
    let status = child.wait().await?;
    group.0 = None;
    Ok((status, stdout?, stderr?))
}

/// As much of it as is wanted. The rest is read all the same: nobody is to fail by a closed pipe.
async fn read(from: Option<impl AsyncRead + Unpin>, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        (&mut from).take(bytes_max).read_to_end(&mut bytes).await?;
        tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    }
    Ok(bytes)
}

/// Puts what it answered where kube looks for it.
fn give(status: Status, auth: &mut AuthInfo) -> Result<Option<Timestamp>, &'static str> {
    let expires = status.expiration_timestamp.filter(|text| !text.is_empty());
    let expires = expires.map(|text| text.parse()).transpose();
    let expires = expires.map_err(|_| "an expirationTimestamp that is no time")?;
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    match (some(status.client_certificate_data), some(status.client_key_data)) {
        (Some(certificate), Some(key)) => {
            auth.client_certificate_data = Some(STANDARD.encode(certificate));
            auth.client_key_data = Some(STANDARD.encode(key).into());
        }
        (None, None) => {}
        _ => return Err("a certificate without its key, or a key alone"),
    }
    auth.token = some(status.token).map(|token| token.trim().to_owned().into());
    if auth.token.is_none() && auth.client_certificate_data.is_none() {
        return Err("an ExecCredential with neither a token nor a certificate");
    }
    Ok(expires)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn script(text: &str) -> ExecConfig {
        ExecConfig {
            command: Some("sh".to_owned()),
            args: Some(vec!["-c".to_owned(), text.to_owned()]),
            ..ExecConfig::default()
        }
    }

    async fn asked(text: &str, limit: Duration) -> Result<Status, PluginError> {
        ask_within(&script(text), false, limit).await
    }

    #[tokio::test]
    async fn a_plugin_that_fails_shows_nothing_of_what_it_was_given_or_printed() {
        let said = async |text: &str| {
            let mut exec = script(text);
            let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            let pairs = [("name", "TOKEN"), ("value", "s3cret")].map(pair);
            exec.env = Some(vec![pairs.into_iter().collect()]);
            let mut auth = AuthInfo { exec: Some(exec), ..AuthInfo::default() };
            let error = ask(&mut auth).await.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
            error.to_string()
        };
        let fails = r#"echo $TOKEN; printf '\n\033[31mlog in\r\n'"$TOKEN" >&2; exit 3"#;
        insta::assert_snapshot!(said(fails).await, @r"the credential plugin `sh` ended with exit status: 3: \u{1b}[31mlog in");
        insta::assert_snapshot!(said("echo [ $TOKEN").await, @"the credential plugin `sh` printed something else than an ExecCredential");
        insta::assert_snapshot!(said("echo 'kind: ExecCredential'").await, @"the credential plugin `sh` printed an ExecCredential without a status");
        insta::assert_snapshot!(said("echo 'status: {}'").await, @"the credential plugin `sh` printed an ExecCredential with neither a token nor a certificate");
        insta::assert_snapshot!(said("echo 'status: {clientKeyData: s3cret}'").await, @"the credential plugin `sh` printed a certificate without its key, or a key alone");
        insta::assert_snapshot!(said("echo 'status: {token: s3cret, expirationTimestamp: s3cret}'").await, @"the credential plugin `sh` printed an expirationTimestamp that is no time");
        insta::assert_snapshot!(said("head -c 2000000 /dev/zero").await, @"the credential plugin `sh` printed more than 1 MiB");
        let mut auth = AuthInfo { exec: Some(ExecConfig::default()), ..AuthInfo::default() };
        insta::assert_snapshot!(ask(&mut auth).await.unwrap_err(), @"the kubeconfig's `exec` has no `command`");
    }

    #[tokio::test]
    async fn a_plugin_that_hangs_is_ended_with_all_that_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("process");
        let text = format!("sleep 600 & echo $! >{}; wait", file.display());
        let begin = Instant::now();
        let error = asked(&text, Duration::from_secs(1)).await.map(|_| ()).unwrap_err();
        insta::assert_snapshot!(error, @"the credential plugin `sh` did not end within 1s, and was ended");
        let process = std::fs::read_to_string(file).unwrap();
        let stat = format!("/proc/{}/stat", process.trim());
        // Killed, it is there until whoever is its parent by now has noticed.
        let is_there = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        while is_there() {
            assert!(begin.elapsed() < Duration::from_secs(60), "it goes on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn what_a_plugin_answers_is_where_kube_looks_for_it_and_it_is_told_what_it_may_know() {
        let text = r#"cat >/dev/null; echo "status: {token: '$KUBERNETES_EXEC_INFO'}" | tr -d '"'"#;
        let mut exec = script(text);
        exec.api_version = Some("client.authentication.k8s.io/v1".to_owned());
        let status = ask_within(&exec, false, TIME_MAX).await.unwrap();
        insta::assert_snapshot!(status.token.unwrap(), @"{kind:ExecCredential,apiVersion:client.authentication.k8s.io/v1,spec:{interactive:false}}");
        let text = "echo '{\"status\": {\"clientCertificateData\": \"c\", \"clientKeyData\": \"k\",
            \"expirationTimestamp\": \"2030-01-02T03:04:05Z\"}}'; echo no matter >&2";
        let mut auth = AuthInfo { exec: Some(script(text)), ..AuthInfo::default() };
        let expires = ask(&mut auth).await.unwrap();
        assert_eq!(expires.unwrap().to_string(), "2030-01-02T03:04:05Z");
        assert_eq!(auth.client_certificate_data.as_deref(), Some("Yw=="));
        assert!(auth.client_key_data.is_some() && auth.token.is_none() && auth.exec.is_none());
    }

    #[tokio::test]
    async fn a_token_of_the_kubeconfig_comes_before_a_plugin() {
        let exec = script("exit 1");
        let mut auth = AuthInfo {
            exec: Some(exec),
            token: Some("t".to_owned().into()),
            ..AuthInfo::default()
        };
        assert_eq!(ask(&mut auth).await.unwrap(), None);
    }
}

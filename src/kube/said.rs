//! What kube's errors say, without what they must not: some hold a credential plugin's environment
//! and whatever it printed, or lines of a kubeconfig, and those are secrets.
//!
//! Invariant: what comes out of here is one short line without control characters.

use std::error::Error;
use std::process::Output;

use ::kube::client::AuthError;
use ::kube::config::KubeconfigError;

use crate::text;

/// Of a program's error, or a name in a kubeconfig.
const SHOWN_BYTES_MAX: usize = 300;

/// What is wrong with credentials, if that is anywhere among what caused this error.
pub(super) fn about_credentials(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<AuthError>() {
            return Some(of_credentials(error));
        }
        next = error.source();
    }
    None
}

fn of_credentials(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecRun { cmd, out } => {
            let (name, Output { status, stderr, .. }) = (command_name(cmd), &**out);
            format!("{name} ended with {status}{}", first_line(stderr))
        }
        AuthError::AuthExecParse(_) => {
            "what a credential plugin printed is no ExecCredential".to_owned()
        }
        AuthError::ParseTokenKey(_) => "what a credential plugin printed is no JSON".to_owned(),
        AuthError::MalformedTokenExpirationDate(_) => {
            "the time at which a credential plugin says that its answer expires is no time"
                .to_owned()
        }
        AuthError::ReadTokenFile(error, path) => {
            line(&format!("cannot read the token file {}: {error}", path.display()))
        }
        error => line(&error.to_string()),
    }
}

/// `cmd` may hold arguments, and the environment in front.
fn command_name(cmd: &str) -> String {
    match cmd.split_whitespace().next() {
        Some(name) if !name.contains(['"', '=']) => {
            format!("the credential plugin `{}`", line(name))
        }
        _ => "a credential plugin".to_owned(),
    }
}

/// The first line that says something, behind a colon; nothing if there is none.
pub(super) fn first_line(stderr: &[u8]) -> String {
    let stderr = String::from_utf8_lossy(stderr);
    let first = stderr.lines().map(line).find(|line| !line.is_empty());
    first.map_or_else(String::new, |first| format!(": {first}"))
}

/// What is wrong with a kubeconfig. Of what stands in it only names are shown.
pub(super) fn of_kubeconfig(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!(
                "what stands at line {}, column {} belongs in no kubeconfig",
                at.line(),
                at.column()
            ),
            None => "it is no kubeconfig".to_owned(),
        },
        error => line(&error.to_string()),
    }
}

/// On one line, fit to be shown, and not too long.
pub(super) fn line(text: &str) -> String {
    text::words(text, SHOWN_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;
    use crate::kube::with_causes;

    fn failed(cmd: &str, stderr: &str) -> AuthError {
        let out = Output {
            status: ExitStatus::from_raw(256),
            stdout: b"{\"token\": \"s3cret\"}".to_vec(),
            stderr: stderr.into(),
        };
        AuthError::AuthExecRun { cmd: cmd.to_owned(), out: Box::new(out) }
    }

    #[test]
    fn of_a_plugin_that_failed_only_its_name_its_status_and_the_first_line_of_its_error_show() {
        let said = |cmd: &str, stderr: &str| {
            let inner = ::kube::Error::Auth(failed(cmd, stderr));
            let nested = ::kube::Error::Service(Box::new(::kube::Error::Service(inner.into())));
            let bare = ::kube::Error::Service(failed(cmd, stderr).into());
            assert_eq!(with_causes(&nested), with_causes(&bare));
            with_causes(&nested)
        };
        insta::assert_snapshot!(said("/bin/gcloud --token s3cret", "\n\x1b[31mno\tlogin\u{202e}\r\nfor s3cret\n"), @r"the credential plugin `/bin/gcloud` ended with exit status: 1: \u{1b}[31mno login\u{202e}");
        insta::assert_snapshot!(said("TOKEN=\"s3cret\" \"/bin/aws\" \"s3cret\"", ""), @"a credential plugin ended with exit status: 1");
        insta::assert_snapshot!(said("\"/bin/aws\" \"s3cret\"", ""), @"a credential plugin ended with exit status: 1");
        assert!(said("x", &"long ".repeat(1000)).chars().count() < 400);
    }

    #[test]
    fn of_a_kubeconfig_that_makes_no_sense_nothing_but_the_place_shows() {
        for text in ["users:\n- s3cret\n", "users: [{name: u, user: s3cret}]", "a: [s3cret\nb"] {
            let error = ::kube::config::Kubeconfig::from_yaml(text).unwrap_err();
            let said = of_kubeconfig(&error);
            assert!(!said.contains("s3cret") && said.contains("line"), "{said}");
        }
        let unknown = KubeconfigError::LoadContext("a\x1b\nb".to_owned());
        assert_eq!(of_kubeconfig(&unknown), r"failed to load current context: a\u{1b} b");
    }
}

//! The runs that the order is made of.

use crate::elf::Elf;
use crate::{Result, ptrace};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::{SystemTime, UNIX_EPOCH};

const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
const HUB: &str = "ghcr.io";

/// How the program is run: in an emulator if one is named.
pub(crate) struct Runner<'a> {
    emulator: &'a str,
    program: &'a str,
    homes: PathBuf,
}

impl<'a> Runner<'a> {
    pub(crate) fn new(emulator: &'a str, program: &'a str, homes: &str) -> Result<Self> {
        // A link on the way would be one more thing that the program looks at.
        let homes = fs::canonicalize(homes)?;
        Ok(Self {
            emulator,
            program,
            homes,
        })
    }

    /// What runs in each case: every way to an answer that needs no network, and those to none. Nobody waits for `store`,
    /// `erase` or `list`.
    pub(crate) fn cases(&self, elf: &Elf) -> Result<Vec<BTreeSet<u64>>> {
        // Where a token is cached, the rule does nothing but say whom to ask for the first one.
        let amazon = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", amazon.local_addr()?);
        let cached = self.node(
            "cached",
            &format!("[[registry]]\nhost = \"{ECR}\"\nendpoint_url = \"{url}\"\n"),
        )?;
        // As Amazon writes them in its documentation.
        let (id, secret) = (
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        );
        let keys = format!(r#"{{"AWS_ACCESS_KEY_ID":"{id}","AWS_SECRET_ACCESS_KEY":"{secret}"}}"#);
        cached.make(
            &["provision", &format!("{ECR}/app:1"), "--creds-json", "-"],
            &keys,
        )?;
        std::thread::spawn(move || answer_as_ecr(&amazon).is_ok());
        cached.make(&["get"], ECR)?;

        let stored = self.node("stored", "")?;
        stored.make(
            &["store"],
            &format!(r#"{{"ServerURL":"{HUB}","Username":"octo","Secret":"s3cret-token"}}"#),
        )?;

        let mut asking = self.node("asking", "")?;
        let keys = r#"{"USERNAME":"octo","PASSWORD":"s3cret-token"}"#;
        asking.request = format!(r#"{{"registry":"{HUB}","type":"basic","credentials":{keys}}}"#);

        let cases = [
            (&cached, "get", ECR),
            (&stored, "get", HUB),
            (&stored, "get", "registry.example.com"),
            (&stored, "get", "https://index.docker.io/v1/"),
            (&asking, "get", HUB),
            (&stored, "version", ""),
        ];
        cases
            .iter()
            .map(|(node, verb, question)| node.ran(elf, verb, question))
            .collect()
    }

    fn node(&self, name: &str, config: &str) -> Result<Node<'_>> {
        let home = self.homes.join(name);
        fs::DirBuilder::new().mode(0o700).create(&home)?;
        let mut options = File::options();
        let file = options.write(true).create_new(true).mode(0o600);
        file.open(home.join("config.toml"))?
            .write_all(config.as_bytes())?;
        Ok(Node {
            runner: self,
            home,
            request: String::new(),
        })
    }
}

/// A machine with nothing on it but the program, a home directory and an empty environment.
struct Node<'a> {
    runner: &'a Runner<'a>,
    home: PathBuf,
    /// What the request brings with it, if it does.
    request: String,
}

impl Node<'_> {
    /// What makes this node what it is, and must not fail.
    fn make(&self, arguments: &[&str], input: &str) -> Result<()> {
        let status = run(&mut self.command(&[], arguments, input)?)?;
        let done = status.success().then_some(());
        Ok(done.ok_or_else(|| format!("{arguments:?} failed: {}", self.said()))?)
    }

    /// Addresses in the functions that one run came to.
    fn ran(&self, elf: &Elf, verb: &str, question: &str) -> Result<BTreeSet<u64>> {
        let trace = self.home.join("trace");
        let options = ["-d", "in_asm", "-D", &trace.display().to_string()];
        let mut command = self.command(&options, &[verb], question)?;
        let ran = if self.runner.emulator.is_empty() {
            ptrace::functions(&mut command, elf)
                .map_err(|error| format!("{verb} cannot be watched: {error}"))?
        } else {
            run(&mut command)?;
            let instructions = fs::read_to_string(trace)?;
            let lines = instructions.lines();
            let places = lines.filter_map(|line| line.strip_prefix("0x")?.split(':').next());
            places
                .filter_map(|place| u64::from_str_radix(place, 16).ok())
                .collect()
        };
        let complained = fs::metadata(self.home.join("err"))?.len() > 0;
        if complained || self.said().is_empty() {
            return Err(format!("{verb} {question} did not answer: {}", self.said()).into());
        }
        Ok(ran)
    }

    /// The program with these arguments, and with options of the emulator's.
    fn command(&self, options: &[&str], arguments: &[&str], input: &str) -> Result<Command> {
        let mut command = match self.runner.emulator {
            "" => Command::new(self.runner.program),
            emulator => Command::new(emulator),
        };
        if !self.runner.emulator.is_empty() {
            command
                .args(["-cpu", "max"])
                .args(options)
                .arg(self.runner.program);
        }
        command.args(arguments).env_clear().env("HOME", &self.home);
        command.env("BETA9_CACHE_MEMORY_DIR", "off");
        // What a node has in /etc decides nothing here: the one run that looks for it has its answer already.
        if self.request.is_empty() {
            command.env("BETA9_CREDENTIAL_CONFIG", self.home.join("config.toml"));
        } else {
            command.env("BETA9_IMAGE_CREDENTIALS", &self.request);
        }
        fs::write(self.home.join("in"), input)?;
        command.stdin(File::open(self.home.join("in"))?);
        command.stdout(File::create(self.home.join("out"))?);
        command.stderr(File::create(self.home.join("err"))?);
        Ok(command)
    }

    /// What the last run wrote.
    fn said(&self) -> String {
        let texts = ["out", "err"].map(|name| fs::read_to_string(self.home.join(name)));
        texts
            .map(std::result::Result::unwrap_or_default)
            .concat()
            .trim_end()
            .to_owned()
    }
}

fn run(command: &mut Command) -> Result<ExitStatus> {
    let status = command.status();
    Ok(status.map_err(|error| format!("{}: {error}", command.get_program().display()))?)
}

/// Answers one [`GetAuthorizationToken`], with a token of the length of ECR's. Who asks again is not answered.
///
/// [`GetAuthorizationToken`]: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
fn answer_as_ecr(listener: &TcpListener) -> Result<()> {
    let (mut stream, _) = listener.accept()?;
    let mut request = Vec::new();
    while !is_whole(&String::from_utf8_lossy(&request)) {
        let mut part = [0; 4096];
        let length = stream.read(&mut part)?;
        request.extend_from_slice(&part[..length]);
        (length > 0).then_some(()).ok_or("the request has no end")?;
    }
    // "AWS:tt", and "ttt" over and over.
    let token = format!("QVdTOnR0{}", "dHR0".repeat(630));
    let expires = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + 12 * 3600;
    let data = format!(
        r#"{{"authorizationToken":"{token}","expiresAt":{expires},"proxyEndpoint":"https://{ECR}"}}"#
    );
    let body = format!(r#"{{"authorizationData":[{data}]}}"#);
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\nconnection: close\r\n";
    write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len())?;
    Ok(())
}

/// Whether its head is there, and as much of its body as that says.
fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_with_as_much_of_a_body_as_its_head_says() {
        assert!(is_whole("GET / HTTP/1.1\r\n\r\n"));
        assert!(is_whole("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"));
        assert!(!is_whole("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{"));
        assert!(!is_whole("POST / HTTP/1.1\r\nContent-Length: 2\r\n"));
    }
}

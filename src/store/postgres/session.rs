//! One connection per command: opened, used and closed within the deadline. A command with many requests keeps one.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_postgres::{Client, IsolationLevel, Transaction};

use super::connect::{IN_A_SESSION, Meter, connect};
use super::errors::PostgresError;
use super::fault::{Fault, may_pass_soon};
use super::target::Target;
use super::{PART, PostgresStore, tls};
use crate::error::Error;
use crate::runtime::{Runtime, block_on};

impl PostgresStore {
    /// Runs an operation on its own connection. Stops a little before the deadline, so that a cached answer can still
    /// be used.
    pub(super) fn work<T>(
        &self,
        deadline: Instant,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let deadline = deadline.checked_sub(LAST_WORDS).unwrap_or(deadline);
        if self.keeps_session {
            return self.work_on_kept(deadline, work);
        }
        let target = self.target()?;
        block_on(PART, deadline, async {
            let meter = Arc::default();
            let outcome = async {
                let (mut client, connection) = log_in(&target, &meter).await?;
                let answer = work(&mut client).await;
                // Dropping the client ends the connection properly, which avoids a complaint in the server's log.
                drop(client);
                _ = connection.await;
                answer
            };
            outcome
                .await
                .map_err(|fault: Fault| fault.explain(&target, &meter))
        })
    }

    /// The same on the kept connection, which is opened if necessary. A failure closes it, because its state is unknown
    /// then.
    fn work_on_kept<T>(
        &self,
        deadline: Instant,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let began = Instant::now();
        if self.rests_until.get().is_some_and(|end| began < end) {
            return Err(PostgresError::Resting.into());
        }
        let was_kept = self.session.borrow().is_some();
        let answer = self.work_in_session(deadline, work);
        let (waited, is_away) = (
            began.elapsed(),
            matches!(answer, Err(Error::Unreachable(_))),
        );
        let is_lost = was_kept && waited < deadline.saturating_duration_since(began) / 2;
        self.lost_session.set(is_away && is_lost);
        // Anyone who asks many times had else to wait for it each time.
        let rests = is_away && !is_lost;
        self.rests_until.set(rests.then(|| Instant::now() + waited));
        answer
    }

    fn work_in_session<T>(
        &self,
        deadline: Instant,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let mut kept = self.session.borrow_mut();
        let mut session = match kept.take() {
            Some(session) if session.is_alive(deadline) => session,
            _ => Box::new(Session::open(self.target()?, deadline)?),
        };
        session.meter.allow(IN_A_SESSION);
        let Session {
            runtime,
            client,
            target,
            meter,
        } = &mut *session;
        let answer = runtime.block_on(PART, deadline, async {
            let answer = work(client).await;
            answer.map_err(|fault| fault.explain(target, meter))
        });
        let is_spoilt = matches!(answer, Err(Error::Unreachable(_)));
        if !is_spoilt && !session.client.is_closed() {
            *kept = Some(session);
        }
        answer
    }

    /// The configured database.
    pub(super) fn target(&self) -> Result<Target, Error> {
        let url = self.config.url.as_ref().ok_or(PostgresError::NoUrl)?;
        Ok(Target::parse(url.read(PART)?.expose())?)
    }
}

/// A kept connection.
pub(super) struct Session {
    runtime: Runtime,
    client: Client,
    target: Target,
    meter: Arc<Meter>,
}

impl Session {
    fn open(target: Target, deadline: Instant) -> Result<Self, Error> {
        let (runtime, meter) = (Runtime::new(PART)?, Arc::default());
        let client = runtime.block_on(PART, deadline, async {
            let logged_in = log_in(&target, &meter).await;
            logged_in
                .map(|(client, _)| client)
                .map_err(|fault| fault.explain(&target, &meter))
        })?;
        Ok(Self {
            runtime,
            client,
            target,
            meter,
        })
    }

    /// Whether the server has not closed it meanwhile.
    fn is_alive(&self, deadline: Instant) -> bool {
        let heard = self.runtime.block_on(PART, deadline, async {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            Ok(())
        });
        heard.is_ok() && !self.client.is_closed()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

async fn log_in(target: &Target, meter: &Arc<Meter>) -> Result<(Client, JoinHandle<()>), Fault> {
    let tls = tls::connector(&target.trust)?;
    let mut pauses = PAUSES.iter();
    loop {
        match connect(target, &tls, meter).await {
            Err(Fault::Database(error)) if may_pass_soon(&error) => match pauses.next() {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(error.into()),
            },
            outcome => return outcome,
        }
    }
}

/// Begins a transaction in which every statement sees earlier commits of others.
pub(super) async fn begin(client: &mut Client) -> Result<Transaction<'_>, tokio_postgres::Error> {
    client
        .build_transaction()
        .isolation_level(IsolationLevel::ReadCommitted)
        .read_only(false)
        .start()
        .await
}

/// The time kept back before the deadline.
const LAST_WORDS: Duration = Duration::from_millis(250);
/// How long to wait before each retry if the server is merely too busy.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

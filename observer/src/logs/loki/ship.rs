//! From the embedded store of a node to the Loki: whatever is written there is handed over in batches, each line at least
//! once, and what comes twice a Loki takes for one. While the Loki is away the embedded store holds the lines, as many as
//! its limits allow.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use skypanel_core::clock::Clock;
use skypanel_core::logs::{LogLevel, LogRecord};
use skypanel_core::model::AppId;
use skypanel_core::settings::LogBackend;
use skypanel_core::store::Store;
use skypanel_core::{Error, Result};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::LokiOptions;
use super::api::{Api, Pushed};
use super::entry::{Push, distinct};
use crate::logs::positions::Positions;
use crate::logs::store::{EmbeddedLogs, nanoseconds};

/// Lines let gather before they are handed over.
const GATHER: Duration = Duration::from_millis(200);
/// How often it is looked whether there is something to do when nothing was heard of.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Longest the database may take.
const DATABASE_LIMIT: Duration = Duration::from_secs(30);
/// Lines of one app, and bytes of all, that are handed over at once.
const LINES: usize = 1_000;
const BYTES: usize = 512 * 1024;
/// First and longest pause after a failure.
const AGAIN_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// For how long the names of apps are remembered.
const NAMES_FOR: Duration = Duration::from_mins(5);
/// How often an app is told that its lines are refused.
const TELL_EVERY: Duration = Duration::from_mins(10);

/// Carries lines to the Loki that the settings name, as long as they do.
#[derive(Debug)]
pub struct Shipper {
    logs: EmbeddedLogs,
    store: Store,
    clock: Clock,
    node: String,
    positions: Positions<Position>,
    /// Slugs of apps; none for those that are gone.
    names: HashMap<AppId, Option<String>>,
    named: Instant,
    /// With which app it is begun.
    turn: usize,
    refusals: HashMap<AppId, Refusals>,
}

/// The last line of an app that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    /// Its number; none while there was none.
    place: Option<u64>,
    /// The time that it is kept under, in nanoseconds since 1970.
    at: i64,
}

/// Lines of one app.
struct Part {
    app: AppId,
    slug: String,
    /// With the times they are kept under.
    lines: Vec<(i64, LogRecord)>,
    end: Position,
}

/// Lines of an app that were refused since it was told so.
#[derive(Debug, Default)]
struct Refusals {
    lines: u64,
    told: Option<Instant>,
}

impl Shipper {
    /// Of the logs that are written here; `node` is the name that their lines are labelled with.
    pub fn new(logs: EmbeddedLogs, store: Store, clock: Clock, node: String) -> Self {
        let positions = Positions::open(logs.root(), "loki");
        Self {
            logs,
            store,
            clock,
            node,
            positions,
            names: HashMap::new(),
            named: Instant::now(),
            turn: 0,
            refusals: HashMap::new(),
        }
    }

    /// Carries lines until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let Some(mut grown) = self.logs.grown() else { return };
        let work = async {
            let mut pause = AGAIN_AFTER.0;
            loop {
                match self.carry().await {
                    Ok(true) => pause = AGAIN_AFTER.0,
                    Ok(false) => {
                        pause = AGAIN_AFTER.0;
                        let told = timeout(LOOK_EVERY, grown.changed()).await;
                        if told.is_ok() {
                            sleep(GATHER).await;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "logs wait for the Loki");
                        sleep(pause).await;
                        pause = (pause * 2).min(AGAIN_AFTER.1);
                    }
                }
            }
        };
        // Whatever is dropped on the way is handed over once more.
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    /// Carries some lines; answers whether there may be more at once.
    async fn carry(&mut self) -> Result<bool> {
        let settings = in_time(self.store.settings()).await?;
        let Some(options) = LokiOptions::of(&settings).filter(|_| settings.logs_backend == LogBackend::Loki) else {
            return Ok(false);
        };
        let (parts, has_more) = self.gather().await?;
        if !parts.is_empty() {
            self.hand_over(&options.api(), &parts).await?;
        }
        self.positions.save().await?;
        Ok(has_more)
    }

    /// The next lines of all apps that have some.
    async fn gather(&mut self) -> Result<(Vec<Part>, bool)> {
        let mut apps = self.logs.newest();
        apps.sort_unstable();
        self.forget(&apps);
        let (mut parts, mut bytes, mut has_more) = (Vec::new(), 0, false);
        // So that an app that floods keeps none waiting for long.
        self.turn = self.turn.wrapping_add(1).checked_rem(apps.len()).unwrap_or_default();
        apps.rotate_left(self.turn);
        for (app, newest) in apps {
            let from = self.positions.get(app.0).unwrap_or(Position { place: None, at: i64::MIN });
            if from.place >= Some(newest) {
                continue;
            }
            if bytes >= BYTES {
                has_more = true;
                break;
            }
            let Some(slug) = self.slug(app).await? else {
                // The app is gone, and soon its lines, too.
                self.positions.set(app.0, Position { place: Some(newest), ..from });
                continue;
            };
            let mut ahead = self.logs.ahead(app, from.place, LINES).await?;
            bytes += ahead.cut(BYTES.saturating_sub(bytes));
            let (mut lines, mut end) = (Vec::with_capacity(ahead.lines.len() + 1), from);
            if ahead.lost > 0
                && let Some((_, next)) = ahead.lines.first()
            {
                let text = format!(
                    "{} lines before this one were removed before the Loki took them: it could not be reached for too long.",
                    ahead.lost
                );
                // Of the time of the line behind it, and so the same when it is handed over again.
                let notice = LogRecord::system(next.record.at, LogLevel::Warn, text);
                end.at = distinct(nanoseconds(notice.at), end.at);
                lines.push((end.at, notice));
            }
            for (_, line) in ahead.lines {
                end.at = distinct(nanoseconds(line.record.at), end.at);
                lines.push((end.at, line.record));
            }
            has_more |= ahead.has_more;
            // The newest number may be none of a line.
            end.place = if ahead.has_more { ahead.place } else { ahead.place.max(Some(newest)) };
            if lines.is_empty() {
                self.positions.set(app.0, end);
            } else {
                parts.push(Part { app, slug, lines, end });
            }
        }
        Ok((parts, has_more))
    }

    async fn hand_over(&mut self, api: &Api, parts: &[Part]) -> Result<()> {
        let pushed = self.push(api, parts).await?;
        let is_refused = matches!(pushed, Pushed::Refused { .. });
        for part in parts {
            // Whose lines were refused is found out one by one; what was taken already does not count twice.
            let pushed = if is_refused && parts.len() > 1 {
                self.push(api, std::slice::from_ref(part)).await?
            } else {
                pushed.clone()
            };
            self.positions.set(part.app.0, part.end);
            if let Pushed::Refused { lines, why } = pushed {
                self.tell_of_refusal(part, lines.unwrap_or(part.lines.len() as u64), &why).await;
            }
        }
        Ok(())
    }

    async fn push(&self, api: &Api, parts: &[Part]) -> Result<Pushed> {
        let mut push = Push::default();
        for part in parts {
            for (at, record) in &part.lines {
                push.add(&part.slug, part.app, &self.node, *at, record);
            }
        }
        api.push(&push.body()).await
    }

    /// Has the app's log say so, now and then.
    async fn tell_of_refusal(&mut self, part: &Part, lines: u64, why: &str) {
        let refusals = self.refusals.entry(part.app).or_default();
        refusals.lines = refusals.lines.saturating_add(lines);
        if refusals.told.is_some_and(|told| told.elapsed() < TELL_EVERY) {
            return;
        }
        let lines = refusals.lines;
        *refusals = Refusals { lines: 0, told: Some(Instant::now()) };
        tracing::warn!(app = %part.slug, lines, why, "the Loki refuses lines");
        let text = format!("{lines} lines were refused by the Loki and are not kept there: {why}.");
        let notice = LogRecord::system(self.clock.now(), LogLevel::Warn, text);
        if let Err(error) = self.logs.append(part.app, vec![notice]).await {
            tracing::warn!(%error, "a notice could not be written to a log");
        }
    }

    /// Forgets what was known for long, and everything of apps whose logs are gone.
    fn forget(&mut self, apps: &[(AppId, u64)]) {
        if self.named.elapsed() > NAMES_FOR {
            self.named = Instant::now();
            self.names.clear();
            let is_known = |of: AppId| apps.binary_search_by_key(&of, |(app, _)| *app).is_ok();
            self.positions.retain(|app| is_known(AppId(app)));
            self.refusals.retain(|app, _| is_known(*app));
        }
    }

    /// The app's slug; none where it is gone.
    async fn slug(&mut self, app: AppId) -> Result<Option<String>> {
        if let Some(known) = self.names.get(&app) {
            return Ok(known.clone());
        }
        let found = in_time(self.store.app_by_id(app)).await?.map(|app| app.slug.to_string());
        self.names.insert(app, found.clone());
        Ok(found)
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    let silent = || Error::System("The database does not answer.".to_owned());
    timeout(DATABASE_LIMIT, answer).await.unwrap_or_else(|_| Err(silent()))
}

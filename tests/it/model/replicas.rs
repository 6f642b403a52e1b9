//! Replicas with one database: each makes passes with the turn, a lease. They are killed, frozen and asked to end, and
//! statements fail, are slow, or are carried out although the answer is lost. The decisions are those of the service
//! (`Lease`, `Watch`, `StoredPass`, `Rollout`); what is around them is written anew, in whole seconds.

mod steps;

use std::collections::{BTreeMap, BTreeSet};

use dyno_restarter::heroku::DynoName;
use dyno_restarter::restart::{Event, History, Lease, Rollout, Watch};
use tokio::time::Instant;

use super::database::{Answer, Database, Statement, Term};
use super::promises::{Alert, Judge};
use super::schedule::{Chooser, Setting};
use super::world::World;
use crate::service::seconds;

/// Limits in seconds, as in `Timing::default` and in `store::postgres`.
const POLL: i64 = 2;
const RENEWAL: i64 = 8;
const STATEMENT: i64 = 2;
const CALL: i64 = 10;

/// How long a process stands still that is frozen: longer than a lease and a call together.
const FROZEN: i64 = 40;

/// How long it takes until a process that ended is started again.
const START: i64 = 5;

/// When the second alert arrives, which must respect what the first one led to: after a takeover.
const SECOND_ALERT: i64 = 60;

/// Whatever goes wrong, everything is done after this.
const LIMIT: i64 = 900;

/// What happens next, somewhere.
#[derive(Clone, Debug)]
enum Next {
    /// The database carries out a statement whose sender has given up waiting.
    Commit(Statement),
    /// Somebody's alert about all dynos arrives.
    Alert,
    /// A process is started in this place.
    Start(usize),
    /// A process does a step. `start` tells it from those that were in its place before.
    Step { at: usize, start: u32, step: Step },
}

/// A step of a process.
#[derive(Clone, Debug)]
enum Step {
    /// It looks after its turn.
    Poll,
    /// The database answered a statement that began at `began`, or did not answer in time.
    Answered { asked: Asked, began: i64, answer: Option<Answer> },
    /// Something happened to the pass of this term.
    Pass(i64, Event),
    /// The end of a pass is written, again.
    Finish(Box<Finished>),
}

/// What a statement was for.
#[derive(Clone, Debug)]
enum Asked {
    Take,
    Renew,
    /// By the pass of this term.
    WriteAhead(i64, DynoName),
    HandOver(i64),
    GiveBack,
    Finish(Box<Finished>),
}

/// A pass that is over.
#[derive(Clone, Debug)]
struct Finished {
    term: Term,
    history: History,
    requests: Vec<i64>,
    dynos: BTreeSet<DynoName>,
}

/// A pass in the hands of a process.
#[derive(Clone, Debug)]
struct Pass {
    term: Term,
    rollout: Rollout,
    requests: Vec<i64>,
    /// When its last look was asked for.
    looked: i64,
    /// The dynos that its first look here showed up.
    up_at_start: Option<BTreeSet<DynoName>>,
}

/// One process of the service.
#[derive(Clone, Debug, Default)]
struct Replica {
    start: u32,
    id: String,
    watch: Watch,
    held: Option<(Term, Lease)>,
    renew_at: i64,
    history: History,
    queue: Vec<i64>,
    /// The requests that it has put into its queue, or that its pass serves.
    taken: BTreeSet<i64>,
    pass: Option<Pass>,
    is_finishing: bool,
    is_stopping: bool,
}

/// What was seen of a schedule.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) steps: u64,
    pub(super) takeovers: u64,
}

struct Replicas<'a, C> {
    chooser: &'a mut C,
    setting: Setting,
    epoch: Instant,
    now: i64,
    next: BTreeMap<(i64, u64), Next>,
    sequence: u64,
    world: World,
    judge: Judge,
    database: Database,
    processes: Vec<Replica>,
    /// The dynos whose restart took effect, or may have.
    restarted: BTreeSet<DynoName>,
    seen: Seen,
}

/// Plays one schedule of this many replicas, and judges each restart.
pub(super) fn play(setting: Setting, replicas: usize, chooser: &mut impl Chooser) -> Seen {
    let mut all = Replicas {
        chooser,
        setting,
        epoch: Instant::now(),
        now: 0,
        next: BTreeMap::new(),
        sequence: 0,
        world: World::new(setting.dynos, setting.is_fir),
        judge: Judge::new(setting.is_fir),
        database: Database::default(),
        processes: vec![Replica::default(); replicas],
        restarted: BTreeSet::new(),
        seen: Seen::default(),
    };
    all.alert();
    all.later(SECOND_ALERT, Next::Alert);
    // They start one second after the other.
    for at in 0..replicas {
        all.later(i64::try_from(at).expect("few"), Next::Start(at));
    }
    all.run();
    all.judge_end();
    all.seen
}

impl<C: Chooser> Replicas<'_, C> {
    fn run(&mut self) {
        while !self.is_done() {
            let ((at, _), next) = self.next.pop_first().expect("somebody always polls");
            assert!(at < LIMIT, "an alert waits for {at} s: {:?}", self.database);
            self.now = at;
            self.world.pass_until(at);
            Judge::judge_truth(&self.world, self.setting.max_unavailable);
            self.seen.steps += 1;
            match next {
                Next::Commit(statement) => _ = self.database.carry_out(statement),
                Next::Alert => self.alert(),
                Next::Start(at) => self.start(at),
                Next::Step { at, start, step } if self.processes[at].start == start => self.step(at, step),
                Next::Step { .. } => {}
            }
        }
    }

    /// Whether a process still has the pass of this term.
    fn has_pass(&self, at: usize, term: i64) -> bool {
        self.processes[at].pass.as_ref().is_some_and(|pass| pass.term.number == term)
    }

    /// Something will happen to the pass of a process.
    fn pass_later(&mut self, at: usize, seconds: i64, event: Event) {
        let term = self.processes[at].pass.as_ref().expect("it has one").term.number;
        self.step_later(at, seconds, Step::Pass(term, event));
    }

    /// Whether all alerts were acted on, and no process has anything in hand.
    fn is_done(&self) -> bool {
        let requests = &self.database.requests;
        requests.len() > 1
            && requests.iter().all(|request| request.is_done)
            && self.processes.iter().all(|replica| replica.pass.is_none() && !replica.is_finishing)
    }

    fn later(&mut self, seconds: i64, next: Next) {
        self.sequence += 1;
        self.next.insert((self.now + seconds, self.sequence), next);
    }

    fn step_later(&mut self, at: usize, seconds: i64, step: Step) {
        let start = self.processes[at].start;
        self.later(seconds, Next::Step { at, start, step });
    }

    fn instant(&self, second: i64) -> Instant {
        self.epoch + seconds(second.unsigned_abs())
    }

    /// It is in the database when it is answered.
    fn alert(&mut self) {
        self.database.accept(Alert { dyno: None, forced: false, arrived: self.now });
    }

    fn start(&mut self, at: usize) {
        let start = self.processes[at].start + 1;
        let id = format!("web.{at}-{start}");
        self.processes[at] = Replica { start, id, ..Replica::default() };
        self.step_later(at, 0, Step::Poll);
    }

    /// A process ends, and is started again a little later.
    fn end(&mut self, at: usize) {
        self.vanish(at);
        self.later(START, Next::Start(at));
    }

    /// A process is killed. It is started again only if there is no other: otherwise another one must take over.
    fn kill(&mut self, at: usize) {
        self.vanish(at);
        if self.processes.iter().all(|process| process.id.is_empty()) {
            self.later(START, Next::Start(at));
        }
    }

    fn vanish(&mut self, at: usize) {
        let start = self.processes[at].start;
        self.processes[at] = Replica { start: start + 1, ..Replica::default() };
    }

    fn step(&mut self, at: usize, step: Step) {
        let is_worth_a_fault = !matches!(step, Step::Poll) && self.processes[at].held.is_some();
        if is_worth_a_fault {
            match self.chooser.choose(4) {
                1 => return self.kill(at),
                2 => return self.freeze(at, step),
                3 => self.processes[at].is_stopping = true,
                _ => {}
            }
        }
        match step {
            Step::Poll => self.poll(at),
            Step::Answered { asked, began, answer } => self.answered(at, asked, began, answer),
            Step::Pass(term, event) if self.has_pass(at, term) => self.pass(at, event),
            // The process has left it.
            Step::Pass(..) => {}
            Step::Finish(finished) => self.finish(at, finished),
        }
    }

    /// A process stands still. What it has sent goes on.
    fn freeze(&mut self, at: usize, step: Step) {
        let start = self.processes[at].start;
        let is_mine = |next: &Next| matches!(next, Next::Step { at: its, start: its_start, .. } if (*its, *its_start) == (at, start));
        self.step_later(at, 0, step);
        let mine: Vec<_> = self.next.iter().filter(|(_, next)| is_mine(next)).map(|(key, _)| *key).collect();
        for (second, sequence) in mine {
            let next = self.next.remove(&(second, sequence)).expect("it was there");
            self.next.insert((second + FROZEN, sequence), next);
        }
    }

    /// Sends a statement. Nobody knows whether one that failed was carried out.
    fn ask(&mut self, at: usize, asked: Asked, statement: Statement) {
        let began = self.now;
        let (answer, takes) = match self.chooser.choose(5) {
            1 => {
                self.database.carry_out(statement);
                (None, STATEMENT)
            }
            2 => (None, STATEMENT),
            3 => {
                self.later(STATEMENT + 1, Next::Commit(statement));
                (None, STATEMENT)
            }
            4 => (Some(self.database.carry_out(statement)), STATEMENT - 1),
            _ => (Some(self.database.carry_out(statement)), 0),
        };
        self.step_later(at, takes, Step::Answered { asked, began, answer });
    }

    /// Each alert led to a restart of each dyno, or to a report that names it.
    fn judge_end(&self) {
        let known = &self.restarted | &self.database.reported;
        for dyno in &self.world.dynos {
            assert!(known.contains(&dyno.name), "nobody restarted {}, or says why not", dyno.name);
        }
    }
}

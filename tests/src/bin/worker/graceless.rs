use infuse_axum::{
    ProcessId, Storage, StorageError,
    storage::{
        Announcement, BoxFuture, Clear, Control, Instance, LeaseAnswer, LeaseRequest, Look,
        Presented, Report, Seed, Settle, Trip, View, Watch,
    },
};

/// A storage whose users keep their successes to themselves, and in which the sum of failures
/// opens the circuit at once: what a shared count would be that knows of failures alone.
#[derive(Debug)]
pub(crate) struct Graceless<S>(pub(crate) S);

type Answered<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

impl<S: Storage> Storage for Graceless<S> {
    fn look<'a>(&'a self, looks: &'a [Look]) -> Answered<'a, Vec<View>> {
        Box::pin(async move {
            let mut looks = looks.to_vec();
            looks.iter_mut().for_each(|look| look.last_success = None);
            self.0.look(&looks).await
        })
    }

    fn report<'a>(&'a self, reports: &'a [Report]) -> Answered<'a, Vec<View>> {
        Box::pin(async move {
            let mut reports = reports.to_vec();
            reports.iter_mut().for_each(|report| report.last_success = None);
            let mut views = self.0.report(&reports).await?;
            for (report, view) in reports.iter().zip(&mut views) {
                let raised = view.suspicion.filter(|suspicion| suspicion.by == report.process);
                let Some(suspicion) = raised else { continue };
                let (key, presented) = (report.key.clone(), Presented::from(&*view));
                let open_time = report.thresholds.reset_timeout;
                let mut trip = Trip::new(key, presented, report.process, open_time);
                trip.thresholds = report.thresholds;
                trip.suspicion = Some(suspicion.id);
                if let Some(tripped) = self.0.trip(&[trip]).await?.pop() {
                    *view = tripped;
                }
            }
            Ok(views)
        })
    }

    fn trip<'a>(&'a self, trips: &'a [Trip]) -> Answered<'a, Vec<View>> {
        self.0.trip(trips)
    }

    fn clear<'a>(&'a self, clears: &'a [Clear]) -> Answered<'a, Vec<View>> {
        Box::pin(async move {
            let looks = clears.iter().map(|clear| Look::new(clear.key.clone(), clear.presented));
            let looks: Vec<_> = looks.collect();
            self.0.look(&looks).await
        })
    }

    fn lease<'a>(&'a self, requests: &'a [LeaseRequest]) -> Answered<'a, Vec<LeaseAnswer>> {
        self.0.lease(requests)
    }

    fn settle<'a>(&'a self, settles: &'a [Settle]) -> Answered<'a, Vec<View>> {
        self.0.settle(settles)
    }

    fn control<'a>(&'a self, commands: &'a [Control]) -> Answered<'a, Vec<View>> {
        self.0.control(commands)
    }

    fn seed<'a>(&'a self, seeds: &'a [Seed]) -> Answered<'a, Vec<View>> {
        self.0.seed(seeds)
    }

    fn probe(&self) -> Answered<'_, ()> {
        self.0.probe()
    }

    fn announce<'a>(&'a self, said: &'a Announcement) -> Answered<'a, ()> {
        self.0.announce(said)
    }

    fn withdraw<'a>(&'a self, group: &'a str, process: ProcessId) -> Answered<'a, ()> {
        self.0.withdraw(group, process)
    }

    fn instances<'a>(&'a self, group: &'a str) -> Answered<'a, Vec<Instance>> {
        self.0.instances(group)
    }

    fn watch(&self) -> Answered<'_, Box<dyn Watch>> {
        self.0.watch()
    }
}

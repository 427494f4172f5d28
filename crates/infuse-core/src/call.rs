//! The ways to guard a function or a future.

use std::{
    error::Error,
    future::Future,
    ops::Deref,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::{Breaker, CallError, Outcome, Permit, Verdict, claim::Claim, word::Word};

impl Breaker {
    /// Makes a call if the circuit lets it through. `call` is not run when it does not.
    ///
    /// ```
    /// # use infuse_core::Breaker;
    /// # async fn update(id: u64) -> std::io::Result<u64> { Ok(id) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let database = Breaker::new("database");
    /// assert_eq!(database.call(|| update(7)).await.unwrap(), 7);
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError::Rejected`] when the circuit does not let it through, else the call's own
    /// error as [`CallError::Inner`] (or [`CallError::Opened`], where that is asked for).
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped before its end counts as nothing, or as a failure if it had taken
    /// [long enough](crate::Policy::abandoned_after).
    #[inline]
    pub fn call<F, Fut, T, E>(&self, call: F) -> impl Future<Output = Result<T, CallError<E>>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Error + 'static,
    {
        Call::new(self, call, conclude)
    }

    /// [`call`](Self::call) for results of any kind: `judge` says what a result means, by an
    /// [`Outcome`] or a whole [`Verdict`], and the exclusions are not asked.
    ///
    /// # Errors
    ///
    /// As for [`call`](Self::call).
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped before its end counts as nothing, or as a failure if it had taken
    /// [long enough](crate::Policy::abandoned_after).
    #[inline]
    pub fn call_with<F, Fut, T, E, J, V>(
        &self,
        call: F,
        judge: J,
    ) -> impl Future<Output = Result<T, CallError<E>>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        J: FnOnce(&Result<T, E>) -> V,
        V: Into<Verdict>,
    {
        let conclude = |permit: &mut Permit<&Self>, result| conclude_with(permit, result, judge);
        Call::new(self, call, conclude)
    }

    /// [`call`](Self::call) for blocking code.
    ///
    /// # Errors
    ///
    /// As for [`call`](Self::call).
    #[inline]
    pub fn call_sync<T, E, F>(&self, call: F) -> Result<T, CallError<E>>
    where
        F: FnOnce() -> Result<T, E>,
        E: Error + 'static,
    {
        match self.quick_permit() {
            Ok(permit) => permit.run_sync(call),
            Err(word) => self.call_sync_slowly(word, call),
        }
    }

    // Apart, so that there is one copy of the call in the function that is to be inlined. What
    // passes but is watched is told apart once more, so that the permit stays in registers there
    // too.
    #[inline(never)]
    fn call_sync_slowly<T, E, F>(&self, word: Word, call: F) -> Result<T, CallError<E>>
    where
        F: FnOnce() -> Result<T, E>,
        E: Error + 'static,
    {
        if word.passes() {
            return self.pass(word, self).run_sync(call);
        }
        self.try_permit_slowly(word).map_err(CallError::Rejected)?.run_sync(call)
    }

    /// [`call_with`](Self::call_with) for blocking code.
    ///
    /// # Errors
    ///
    /// As for [`call`](Self::call).
    #[inline]
    pub fn call_sync_with<T, E, F, J, V>(&self, call: F, judge: J) -> Result<T, CallError<E>>
    where
        F: FnOnce() -> Result<T, E>,
        J: FnOnce(&Result<T, E>) -> V,
        V: Into<Verdict>,
    {
        match self.quick_permit() {
            Ok(permit) => permit.run_sync_with(call, judge),
            Err(word) => self.call_sync_with_slowly(word, call, judge),
        }
    }

    #[inline(never)]
    fn call_sync_with_slowly<T, E, F, J, V>(
        &self,
        word: Word,
        call: F,
        judge: J,
    ) -> Result<T, CallError<E>>
    where
        F: FnOnce() -> Result<T, E>,
        J: FnOnce(&Result<T, E>) -> V,
        V: Into<Verdict>,
    {
        if word.passes() {
            return self.pass(word, self).run_sync_with(call, judge);
        }
        self.try_permit_slowly(word).map_err(CallError::Rejected)?.run_sync_with(call, judge)
    }
}

impl<B: Deref<Target = Breaker>> Permit<B> {
    /// Makes the call that was permitted: see [`Breaker::call`].
    ///
    /// # Errors
    ///
    /// As for [`Breaker::call`], but never [`CallError::Rejected`].
    #[inline]
    pub fn run<F, Fut, T, E>(self, call: F) -> impl Future<Output = Result<T, CallError<E>>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Error + 'static,
    {
        Guarded::start(self, call, conclude)
    }

    /// Makes the call that was permitted: see [`Breaker::call_with`].
    ///
    /// # Errors
    ///
    /// As for [`Breaker::call`], but never [`CallError::Rejected`].
    #[inline]
    pub fn run_with<F, Fut, T, E, J, V>(
        self,
        call: F,
        judge: J,
    ) -> impl Future<Output = Result<T, CallError<E>>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        J: FnOnce(&Result<T, E>) -> V,
        V: Into<Verdict>,
    {
        Guarded::start(self, call, |permit: &mut Permit<B>, result| {
            conclude_with(permit, result, judge)
        })
    }

    /// Makes the call that was permitted: see [`Breaker::call_sync`].
    ///
    /// # Errors
    ///
    /// As for [`Breaker::call`], but never [`CallError::Rejected`].
    // Always: a permit that is passed on has to stand in memory, which costs more than the rest.
    #[inline(always)]
    pub fn run_sync<T, E, F>(mut self, call: F) -> Result<T, CallError<E>>
    where
        F: FnOnce() -> Result<T, E>,
        E: Error + 'static,
    {
        self.set_running(true);
        let result = call();
        self.set_running(false);
        conclude(&mut self, result)
    }

    /// Makes the call that was permitted: see [`Breaker::call_sync_with`].
    ///
    /// # Errors
    ///
    /// As for [`Breaker::call`], but never [`CallError::Rejected`].
    // Always: a permit that is passed on has to stand in memory, which costs more than the rest.
    #[inline(always)]
    pub fn run_sync_with<T, E, F, J, V>(mut self, call: F, judge: J) -> Result<T, CallError<E>>
    where
        F: FnOnce() -> Result<T, E>,
        J: FnOnce(&Result<T, E>) -> V,
        V: Into<Verdict>,
    {
        self.set_running(true);
        let result = call();
        self.set_running(false);
        conclude_with(&mut self, result, judge)
    }
}

#[inline]
fn conclude<B, T, E>(permit: &mut Permit<B>, result: Result<T, E>) -> Result<T, CallError<E>>
where
    B: Deref<Target = Breaker>,
    E: Error + 'static,
{
    match result {
        Ok(value) => {
            permit.succeed();
            Ok(value)
        }
        Err(error) => {
            let (ticket, claim) = permit.hand_over();
            Err(conclude_error(permit.breaker(), ticket, claim, error))
        }
    }
}

#[inline(never)]
fn conclude_error<E>(breaker: &Breaker, ticket: Word, claim: Claim, error: E) -> CallError<E>
where
    E: Error + 'static,
{
    let mut permit = Permit::with_claim(breaker, ticket, claim);
    // A predicate that panics is the caller's panic; the permit is dropped on the way.
    let outcome = breaker.judge(&error);
    match permit.conclude(outcome.into(), Some(&error)) {
        Some(rejected) if breaker.errors_on_trip() => CallError::Opened { rejected, error },
        _ => CallError::Inner(error),
    }
}

#[inline]
fn conclude_with<B, T, E, J, V>(
    permit: &mut Permit<B>,
    result: Result<T, E>,
    judge: J,
) -> Result<T, CallError<E>>
where
    B: Deref<Target = Breaker>,
    J: FnOnce(&Result<T, E>) -> V,
    V: Into<Verdict>,
{
    let verdict = judge(&result).into();
    if verdict.outcome == Outcome::Success {
        permit.succeed();
        return result.map_err(CallError::Inner);
    }
    let opened = permit.conclude(verdict, None);
    result.map_err(|error| match opened {
        Some(rejected) if permit.breaker().errors_on_trip() => {
            CallError::Opened { rejected, error }
        }
        _ => CallError::Inner(error),
    })
}

pin_project! {
    /// A guarded call that asks to pass when it is polled first. By hand, as `Guarded` is.
    #[must_use = "futures do nothing unless polled"]
    struct Call<'a, F, Fut, C> {
        breaker: &'a Breaker,
        start: Option<(F, C)>,
        #[pin]
        guarded: Option<Guarded<&'a Breaker, Fut, C>>,
    }
}

impl<'a, F, Fut, C> Call<'a, F, Fut, C> {
    #[inline]
    fn new(breaker: &'a Breaker, call: F, conclude: C) -> Self {
        Self { breaker, start: Some((call, conclude)), guarded: None }
    }
}

impl<'a, F, Fut, C, T, E> Future for Call<'a, F, Fut, C>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
    C: FnOnce(&mut Permit<&'a Breaker>, Result<T, E>) -> Result<T, CallError<E>>,
{
    type Output = Result<T, CallError<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some((call, conclude)) = this.start.take() {
            match this.breaker.quick_permit() {
                Ok(permit) => this.guarded.set(Some(Guarded::start(permit, call, conclude))),
                Err(word) if word.passes() => {
                    let permit = this.breaker.pass(word, *this.breaker);
                    this.guarded.set(Some(Guarded::start(permit, call, conclude)));
                }
                Err(word) => match this.breaker.try_permit_slowly(word) {
                    Ok(permit) => this.guarded.set(Some(Guarded::start(permit, call, conclude))),
                    Err(rejected) => return Poll::Ready(Err(CallError::Rejected(rejected))),
                },
            }
        }
        this.guarded.as_pin_mut().expect("polled after it was rejected").poll(cx)
    }
}

pin_project! {
    /// A guarded future. Written by hand because an `async` block would hold a second drop guard
    /// around every await.
    #[must_use = "futures do nothing unless polled"]
    struct Guarded<B: Deref<Target = Breaker>, F, C> {
        #[pin]
        future: F,
        permit: Permit<B>,
        conclude: Option<C>,
    }
}

impl<B: Deref<Target = Breaker>, Fut, C> Guarded<B, Fut, C> {
    #[inline]
    fn start(mut permit: Permit<B>, call: impl FnOnce() -> Fut, conclude: C) -> Self {
        permit.set_running(true);
        let future = call();
        permit.set_running(false);
        Self { future, permit, conclude: Some(conclude) }
    }
}

impl<B, F, C, T, E> Future for Guarded<B, F, C>
where
    B: Deref<Target = Breaker>,
    F: Future<Output = Result<T, E>>,
    C: FnOnce(&mut Permit<B>, Result<T, E>) -> Result<T, CallError<E>>,
{
    type Output = Result<T, CallError<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.permit.set_running(true);
        let polled = this.future.poll(cx);
        this.permit.set_running(false);
        let Poll::Ready(result) = polled else { return Poll::Pending };
        match this.conclude.take() {
            Some(conclude) => Poll::Ready(conclude(this.permit, result)),
            // Polled after its end, and the inner future did not mind.
            None => Poll::Ready(result.map_err(CallError::Inner)),
        }
    }
}

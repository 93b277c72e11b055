//! The bodies on both sides of the layer.

use super::BoxError;
use super::passage::Passage;
use crate::host::inspect::Share;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What the inner service reads: the request body as it was inspected, and behind it what the body policy lets pass
/// uninspected.
pub struct InspectedBody {
    first: Option<Bytes>,
    rest: Option<UnsyncBoxBody<Bytes, BoxError>>,
    /// Kept as long as the body may be in memory.
    _share: Share,
}

impl InspectedBody {
    pub(super) fn new<B>(first: Bytes, rest: Option<B>, share: Share) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let first = Some(first).filter(|first| !first.is_empty());
        InspectedBody { first, rest: rest.map(|rest| rest.map_err(Into::into).boxed_unsync()), _share: share }
    }
}

impl Body for InspectedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().map_or(0, |first| first.len() as u64);
        plus(first, self.rest.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint))
    }
}

/// A response body: the inner service's, or a page of ours.
pub struct WafBody<R> {
    held: VecDeque<Frame<Bytes>>,
    inner: Option<R>,
    watch: Option<(Box<Passage>, Watch)>,
    /// Kept until what is held has left.
    share: Option<Share>,
}

/// How far the watching of a response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watch {
    /// The body passes.
    Chunks,
    /// Phase 4 runs.
    Judging,
    /// Phase 5 runs.
    Logging,
}

impl<R> WafBody<R> {
    pub(super) fn page(page: Bytes) -> Self {
        WafBody { held: VecDeque::from([Frame::data(page)]), inner: None, watch: None, share: None }
    }

    pub(super) fn held(held: VecDeque<Frame<Bytes>>, inner: R, share: Share) -> Self {
        WafBody { held, inner: Some(inner), watch: None, share: Some(share) }
    }

    pub(super) fn watched(inner: R, passage: Passage) -> Self {
        let watch = Some((Box::new(passage), Watch::Chunks));
        WafBody { held: VecDeque::new(), inner: Some(inner), watch, share: None }
    }
}

impl<R> Body for WafBody<R>
where
    R: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            if let Some(frame) = this.held.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            this.share = None;
            if let Some((passage, watch @ (Watch::Judging | Watch::Logging))) = &mut this.watch {
                match passage.turn() {
                    None => {
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Some(Ok(())) if *watch == Watch::Judging => {
                        passage.finish();
                        *watch = Watch::Logging;
                    }
                    Some(Ok(())) => this.watch = None,
                    Some(Err(error)) => {
                        this.watch = None;
                        this.inner = None;
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                continue;
            }
            let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
            let next = ready!(Pin::new(inner).poll_frame(context));
            match (&next, &mut this.watch) {
                (None, Some((passage, watch))) => {
                    this.inner = None;
                    passage.end_watch();
                    *watch = Watch::Judging;
                    continue;
                }
                (Some(Ok(frame)), Some((passage, watch))) => match frame.data_ref().map(|data| passage.watch(data)) {
                    None | Some(Ok(true)) => {}
                    Some(Ok(false)) => {
                        passage.end_watch();
                        *watch = Watch::Judging;
                        this.held.extend(next.and_then(Result::ok));
                        continue;
                    }
                    Some(Err(error)) => {
                        this.watch = None;
                        this.inner = None;
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                _ => {}
            }
            return Poll::Ready(next.map(|frame| frame.map_err(Into::into)));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.watch.is_none() && self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.held.iter().filter_map(Frame::data_ref).map(|data| data.len() as u64).sum();
        plus(held, self.inner.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint))
    }
}

/// A size hint with `bytes` more.
fn plus(bytes: u64, hint: SizeHint) -> SizeHint {
    let mut sum = SizeHint::new();
    if let Some(upper) = hint.upper() {
        sum.set_upper(upper.saturating_add(bytes));
    }
    sum.set_lower(hint.lower().saturating_add(bytes));
    sum
}

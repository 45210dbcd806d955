//! Connections that are read at a pace while little comes at a time, but often.
//!
//! Each event of a watch comes in a packet of its own. To read each as it comes wakes a thread,
//! reads a few hundred bytes and sleeps again, a thousand times a second in a busy cluster: that is
//! most of what an event costs. Once such reads come more often than [`READS`] in [`PACE`], the
//! next one waits, and finds what came meanwhile. Until then the runtime does not watch the
//! connection: a thread would wake for each packet and find nobody to tell.
//!
//! What is no trickle is not held up: an answer to a request, as long as something was written
//! since; what is large, as a page of a list is; and events of a quiet cluster.

use std::fmt::Debug;
use std::future::Future;
use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tower::Service;

/// How long a trickle waits for its next read: nothing to whoever looks for an event, and the
/// sink waits as long between two requests.
const PACE: Duration = Duration::from_millis(200);
/// So many reads in [`PACE`] are no trickle yet: fifty a second.
const READS: u32 = 10;
/// A read of this much is none, and one that waited and found less was the last to wait.
const LITTLE: usize = 4 << 10;
/// What found more than this waits less the next time, so that the kernel can keep what comes
/// meanwhile, and the sender goes on: half of what Linux keeps at first...
const MUCH_AT_FIRST: usize = 32 << 10;
/// ...and this when it keeps more than at first: then it goes on to do so as that is used.
const MUCH: usize = 128 << 10;

/// Makes TCP connections that are read at a pace.
#[derive(Clone, Debug)]
pub(super) struct PacedConnector(pub(super) HttpConnector);

impl Service<http::Uri> for PacedConnector {
    type Response = TokioIo<Paced<TcpStream>>;
    type Error = <HttpConnector as Service<http::Uri>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: http::Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move { Ok(TokioIo::new(Paced::new(connecting.await?.into_inner()))) })
    }
}

/// A connection that is read at a pace.
#[derive(Debug)]
pub(super) struct Paced<S: Stream> {
    stream: Watched<S>,
    is_write_vectored: bool,
    /// The bound of what the kernel keeps of it, when it was new.
    kept_at_first: usize,
    trickle: Trickle,
    /// Until the next read may be.
    wait: Option<Pin<Box<Sleep>>>,
}

/// A connection that the runtime can be made to watch, and not to watch.
///
/// One that is watched wakes a thread with each packet, whether somebody waits for it or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Sized {
    /// What it is meanwhile.
    type Unwatched: Debug + Unpin;
    fn unwatch(self) -> io::Result<Self::Unwatched>;
    fn watch(stream: Self::Unwatched) -> io::Result<Self>;
    /// The bound of what the kernel keeps of it until it is read, in bytes, in which it counts what
    /// it needs itself. 0: nobody knows.
    fn kept(&self) -> usize;
}

impl Stream for TcpStream {
    type Unwatched = std::net::TcpStream;
    fn unwatch(self) -> io::Result<Self::Unwatched> {
        self.into_std()
    }
    fn watch(stream: Self::Unwatched) -> io::Result<Self> {
        TcpStream::from_std(stream)
    }
    fn kept(&self) -> usize {
        socket2::SockRef::from(self).recv_buffer_size().unwrap_or_default()
    }
}

#[derive(Debug)]
enum Watched<S: Stream> {
    Yes(S),
    No(S::Unwatched),
    /// Neither could be done.
    Lost,
}

impl<S: Stream> Watched<S> {
    fn stream(&mut self) -> io::Result<Pin<&mut S>> {
        if let Watched::No(_) = self
            && let Watched::No(stream) = mem::replace(self, Watched::Lost)
        {
            *self = Watched::Yes(S::watch(stream)?);
        }
        match self {
            Watched::Yes(stream) => Ok(Pin::new(stream)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn unwatch(&mut self) -> io::Result<()> {
        if let Watched::Yes(_) = self
            && let Watched::Yes(stream) = mem::replace(self, Watched::Lost)
        {
            *self = Watched::No(S::unwatch(stream)?);
        }
        Ok(())
    }
}

/// What of the last reads matters.
#[derive(Debug, Default)]
struct Trickle {
    /// What has been read since the last one that gave all there was.
    bytes: usize,
    /// The last one had waited.
    is_paced: bool,
    /// Reads of little since this time, unless something was written.
    since: Option<Instant>,
    reads: u32,
}

impl Trickle {
    /// A read gave something: all that there was, or as much as it had room for. Answers how long
    /// the next one waits. `much`: what found more than this waits less.
    fn read(
        &mut self,
        now: Instant,
        bytes: usize,
        was_all: bool,
        much: impl FnOnce() -> usize,
    ) -> Option<Duration> {
        self.bytes += bytes;
        if !was_all {
            return None;
        }
        let bytes = std::mem::take(&mut self.bytes);
        if self.is_paced && bytes >= LITTLE {
            return Some(PACE.mul_f64((much() as f64 / bytes as f64).min(1.0)));
        }
        let is_new = self.since.is_none_or(|since| now.duration_since(since) >= PACE);
        if self.is_paced || is_new || bytes >= LITTLE {
            *self = Trickle { since: Some(now), ..Trickle::default() };
        }
        self.reads += 1;
        self.is_paced = self.reads > READS;
        self.is_paced.then_some(PACE)
    }

    fn wrote(&mut self) {
        *self = Trickle::default();
    }
}

impl<S: Stream> Paced<S> {
    fn new(stream: S) -> Paced<S> {
        let is_write_vectored = stream.is_write_vectored();
        let kept_at_first = stream.kept();
        let (stream, trickle) = (Watched::Yes(stream), Trickle::default());
        Paced { stream, is_write_vectored, kept_at_first, trickle, wait: None }
    }

    /// What is written is asked for, or answers something: what comes then is wanted at once.
    fn for_writing(&mut self) -> io::Result<Pin<&mut S>> {
        self.trickle.wrote();
        self.wait = None;
        self.stream.stream()
    }
}

impl<S: Stream> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(context));
            self.wait = None;
        }
        let before = buffer.filled().len();
        let Paced { stream, trickle, kept_at_first, .. } = &mut *self;
        let mut reading = stream.stream()?;
        ready!(reading.as_mut().poll_read(context, buffer))?;
        let bytes = buffer.filled().len() - before;
        let much = || if reading.kept() > *kept_at_first { MUCH } else { MUCH_AT_FIRST };
        // Nothing is the end, which nothing follows.
        if bytes > 0
            && let Some(wait) = trickle.read(Instant::now(), bytes, buffer.remaining() > 0, much)
        {
            stream.unwatch()?;
            self.wait = Some(Box::pin(tokio::time::sleep(wait)));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.for_writing()?.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.for_writing()?.poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.is_write_vectored
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Watched::Yes(stream) => Pin::new(stream).poll_flush(context),
            _ => Poll::Ready(Ok(())), // Nothing was written since.
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.for_writing()?.poll_shutdown(context)
    }
}

impl<S: Stream + Connection> Connection for Paced<S> {
    fn connected(&self) -> Connected {
        match &self.stream {
            Watched::Yes(stream) => stream.connected(),
            _ => Connected::new(), // It is asked as soon as it is connected.
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    impl Stream for DuplexStream {
        type Unwatched = Self;
        fn unwatch(self) -> io::Result<Self> {
            Ok(self)
        }
        fn watch(stream: Self) -> io::Result<Self> {
            Ok(stream)
        }
        fn kept(&self) -> usize {
            KEPT.get()
        }
    }

    thread_local! {
        /// What each connection of this thread says that the kernel keeps.
        static KEPT: std::cell::Cell<usize> = const { std::cell::Cell::new(1) };
    }

    /// Reads once, and says how long that took, in ms.
    async fn read(stream: &mut Paced<DuplexStream>, room: usize) -> (String, u128) {
        let (began, mut bytes) = (Instant::now(), vec![0; room]);
        let count = stream.read(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes[..count].to_vec()).unwrap();
        (text, began.elapsed().as_millis())
    }

    async fn write(server: &mut DuplexStream, text: &str) {
        server.write_all(text.as_bytes()).await.unwrap();
    }

    /// A connection of which so much was read in small pieces that the next read waits.
    async fn trickling() -> (Paced<DuplexStream>, DuplexStream) {
        let (client, mut server) = tokio::io::duplex(1 << 20);
        let mut client = Paced::new(client);
        for _ in 0..=READS {
            write(&mut server, "a").await;
            assert_eq!(read(&mut client, 100).await, ("a".into(), 0), "the first ones");
        }
        (client, server)
    }

    #[tokio::test(start_paused = true)]
    async fn what_trickles_is_read_together_until_there_is_little_of_it() {
        let (mut client, mut server) = trickling().await;
        write(&mut server, "b").await;
        write(&mut server, &"c".repeat(LITTLE)).await;
        let (text, waited) = read(&mut client, LITTLE + 2).await;
        assert_eq!((text.len(), waited), (LITTLE + 1, 200));
        write(&mut server, "d").await;
        assert_eq!(read(&mut client, 100).await, ("d".into(), 200), "there was enough");
        write(&mut server, "e").await;
        assert_eq!(read(&mut client, 100).await, ("e".into(), 0), "there was little");
    }

    #[tokio::test(start_paused = true)]
    async fn where_more_comes_the_wait_is_shorter() {
        let (mut client, mut server) = trickling().await;
        write(&mut server, &"b".repeat(MUCH)).await;
        assert_eq!(read(&mut client, MUCH + 1).await.1, 200);
        write(&mut server, "c").await;
        assert_eq!(read(&mut client, MUCH).await.1, 50, "it may be all that the kernel keeps");
    }

    #[tokio::test(start_paused = true)]
    async fn where_the_kernel_keeps_more_as_more_comes_so_does_a_wait() {
        let (mut client, mut server) = trickling().await;
        KEPT.set(2);
        write(&mut server, &"b".repeat(4 * MUCH)).await;
        assert_eq!(read(&mut client, MUCH).await.1, 200);
        for _ in 1..4 {
            assert_eq!(read(&mut client, MUCH).await.1, 0, "there was more");
        }
        // The room was filled each time, so the next read is the one that finds all there is.
        write(&mut server, "c").await;
        assert_eq!(read(&mut client, MUCH).await.1, 0);
        write(&mut server, "d").await;
        assert_eq!(read(&mut client, MUCH).await.1, 50);
    }

    #[tokio::test(start_paused = true)]
    async fn neither_a_quiet_watch_nor_a_page_of_a_list_waits() {
        let (client, mut server) = tokio::io::duplex(1 << 20);
        let mut client = Paced::new(client);
        for _ in 0..20 {
            write(&mut server, "a").await;
            assert_eq!(read(&mut client, 100).await, ("a".into(), 0));
            tokio::time::sleep(PACE / READS).await;
        }
        for _ in 0..20 {
            write(&mut server, &"b".repeat(LITTLE)).await;
            assert_eq!(read(&mut client, 2 * LITTLE).await.1, 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answers_to_requests_do_not_wait() {
        let (mut client, mut server) = trickling().await;
        for _ in 0..10 {
            client.write_all(b"?").await.unwrap();
            assert_eq!(server.read_u8().await.unwrap(), b'?');
            for _ in 0..READS {
                write(&mut server, "a").await;
                assert_eq!(read(&mut client, 100).await, ("a".into(), 0));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_and_an_error_come_through() {
        let (mut client, server) = trickling().await;
        drop(server);
        assert_eq!(read(&mut client, 100).await, (String::new(), 200));
        assert_eq!(read(&mut client, 100).await, (String::new(), 0));
        assert!(client.write_all(b"?").await.is_err());
    }

    #[tokio::test]
    async fn a_real_connection_is_watched_again_when_the_wait_is_over() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let (mut client, mut bytes) = (Paced::new(client), [0; 10]);
        for round in 0..10 {
            while !client.trickle.is_paced {
                server.write_all(b"a").await.unwrap();
                assert_eq!(client.read(&mut bytes).await.unwrap(), 1);
            }
            assert!(matches!(client.stream, Watched::No(_)));
            if round % 2 == 0 {
                server.write_all(b"a").await.unwrap();
                assert_eq!(client.read(&mut bytes).await.unwrap(), 1);
            } else {
                client.write_all(b"?").await.unwrap();
                assert_eq!(server.read(&mut bytes).await.unwrap(), 1);
            }
        }
    }
}

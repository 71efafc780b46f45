//! Listening on the loopback interface, with a switch per connection that cuts it in the middle of a
//! request, as a broken network does.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Cuts the connection that a request came in on.
#[derive(Clone, Debug, Default)]
pub(crate) struct LineCut(Arc<AtomicBool>);

impl LineCut {
    /// The next byte the server sends on this connection breaks it.
    pub(crate) fn cut(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_cut(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

pub(crate) struct CuttableListener(TcpListener);

/// A connection that can be cut.
pub(crate) struct Line {
    stream: TcpStream,
    cut: LineCut,
}

impl Listener for CuttableListener {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        let line = Line {
            stream,
            cut: LineCut::default(),
        };
        (line, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, CuttableListener>> for LineCut {
    fn connect_info(stream: IncomingStream<'_, CuttableListener>) -> Self {
        stream.io().cut.clone()
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.cut.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Binds the loopback interface; port 0 takes a free one.
pub(crate) async fn bind(port: u16) -> io::Result<(CuttableListener, SocketAddr)> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    Ok((CuttableListener(listener), address))
}

/// Serves until `stopping` is cancelled.
pub(crate) fn serve(
    listener: CuttableListener,
    router: axum::Router,
    stopping: CancellationToken,
) -> JoinHandle<io::Result<()>> {
    let service = router.into_make_service_with_connect_info::<LineCut>();
    let server = axum::serve(listener, service)
        .with_graceful_shutdown(async move { stopping.cancelled().await });
    tokio::spawn(server.into_future())
}

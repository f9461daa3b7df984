using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Nano.Tests;

/// <summary>What a client asked of a <see cref="LocalServer"/>, and the connection to answer on.</summary>
sealed class LocalRequest(TcpClient client, string path, IReadOnlyDictionary<string, string> headers)
{
    public string Path { get; } = path;

    /// <summary>By lower-case name.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; } = headers;

    /// <summary>Sends an answer, or its beginning: nothing stops a body from being shorter than announced.</summary>
    /// <param name="body">What to send.</param>
    /// <param name="announced">The Content-Length; null leaves it out, and the body ends with the connection.</param>
    /// <param name="status">The status code.</param>
    /// <param name="headers">More header lines.</param>
    public void Send(ReadOnlySpan<byte> body, long? announced = null, int status = 200,
        params ReadOnlySpan<string> headers)
    {
        var head = new StringBuilder($"HTTP/1.1 {status} {(HttpStatusCode)status}\r\nConnection: close\r\n");
        if (announced is { } length)
            head.Append("Content-Length: ").Append(length).Append("\r\n");
        foreach (string header in headers)
            head.Append(header).Append("\r\n");
        client.GetStream().Write(Encoding.ASCII.GetBytes(head.Append("\r\n").ToString()));
        More(body);
    }

    /// <summary>Sends more of the body.</summary>
    public void More(ReadOnlySpan<byte> body) => client.GetStream().Write(body);

    /// <summary>Breaks the connection so that the client sees an error and not an end.</summary>
    public void Abort()
    {
        client.LingerState = new LingerOption(true, 0);
        client.Close();
    }
}

/// <summary>
/// A web server on the loopback address that answers every request as the test tells it to, one
/// after the other, on a thread of its own: its end waits for nothing that the test runner
/// schedules.
/// </summary>
sealed class LocalServer : IDisposable
{
    readonly TcpListener listener = new(IPAddress.Loopback, 0);
    readonly ManualResetEventSlim disposed = new();
    readonly Thread thread;
    volatile TcpClient? connected;
    int requests;

    /// <param name="answer">Sends the answer; the connection is closed afterwards,</param>
    /// <param name="thenStall">but only when the server is disposed if this is true.</param>
    public LocalServer(Action<LocalRequest> answer, bool thenStall = false)
    {
        listener.Start();
        Root = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/");
        thread = new Thread(() => Serve(answer, thenStall)) { IsBackground = true, Name = "local server" };
        thread.Start();
    }

    public Uri Root { get; }

    public int Requests => Volatile.Read(ref requests);

    /// <summary>An address nobody listens at.</summary>
    public static Uri Nowhere
    {
        get
        {
            using var probe = new TcpListener(IPAddress.Loopback, 0);
            probe.Start();
            return new Uri($"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}/");
        }
    }

    public void Dispose()
    {
        disposed.Set();
        listener.Stop();
        connected?.Close();
        thread.Join();
        disposed.Dispose();
    }

    void Serve(Action<LocalRequest> answer, bool thenStall)
    {
        while (!disposed.IsSet)
        {
            try
            {
                using var client = listener.AcceptTcpClient();
                connected = client;
                if (disposed.IsSet || Read(client) is not { } request)
                    continue;
                Interlocked.Increment(ref requests);
                answer(request);
                if (thenStall)
                    disposed.Wait();
            }
            catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException
                or InvalidOperationException)
            {
                // The client went away, the answer was to break the connection, or the server has been disposed.
            }
        }
    }

    static LocalRequest? Read(TcpClient client)
    {
        using var reader = new StreamReader(client.GetStream(), Encoding.ASCII, leaveOpen: true);
        if (reader.ReadLine() is not { } first)
            return null;
        var headers = new Dictionary<string, string>();
        while (reader.ReadLine() is { Length: > 0 } line && line.Split(':', 2) is [var name, var value])
            headers[name.Trim().ToLowerInvariant()] = value.Trim();
        return new LocalRequest(client, first.Split(' ')[1], headers);
    }
}

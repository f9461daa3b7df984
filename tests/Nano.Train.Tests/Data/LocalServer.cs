using System.Net;
using System.Net.Sockets;

namespace Nano.Tests;

/// <summary>A web server on the loopback address that answers every request as the test tells it to.</summary>
sealed class LocalServer : IDisposable
{
    readonly HttpListener listener;
    readonly Task serving;
    readonly TaskCompletionSource disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="answer">Writes the response, which is closed afterwards,</param>
    /// <param name="thenStall">but only when the server is disposed if this is true.</param>
    public LocalServer(Func<HttpListenerContext, Task> answer, bool thenStall = false)
    {
        (listener, Root) = Listen();
        serving = ServeAsync(answer, thenStall);
    }

    public Uri Root { get; }

    public int Requests { get; private set; }

    /// <summary>An address nobody listens at.</summary>
    public static Uri Nowhere => new($"http://127.0.0.1:{FreePort()}/");

    public void Dispose()
    {
        disposed.SetResult();
        listener.Close();
        serving.Wait();
    }

    static (HttpListener Listener, Uri Root) Listen()
    {
        for (int attempt = 1; ; attempt++)
        {
            var listener = new HttpListener();
            string root = $"http://127.0.0.1:{FreePort()}/";
            listener.Prefixes.Add(root);
            try
            {
                listener.Start();
                return (listener, new Uri(root));
            }
            catch (HttpListenerException) when (attempt < 5)
            {
                // Somebody took the port in between.
            }
        }
    }

    static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    async Task ServeAsync(Func<HttpListenerContext, Task> answer, bool thenStall)
    {
        while (true)
        {
            try
            {
                var context = await listener.GetContextAsync();
                Requests++;
                await answer(context);
                if (thenStall)
                    await disposed.Task;
                context.Response.Close();
            }
            catch (Exception) when (!listener.IsListening)
            {
                return;
            }
            catch (Exception e) when (e is HttpListenerException or IOException)
            {
                // The client went away, or the answer was to break the connection.
            }
        }
    }
}

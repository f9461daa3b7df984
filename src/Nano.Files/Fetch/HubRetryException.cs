namespace Nano;

/// <summary>A request failed for a reason that may pass.</summary>
/// <param name="reason">The reason, in half a sentence.</param>
/// <param name="inner">The cause, or null.</param>
internal sealed class HubRetryException(string reason, Exception? inner = null) : Exception(reason, inner)
{
    /// <summary>The delay that the server asks for.</summary>
    public TimeSpan? Wait { get; init; }

    /// <summary>True if the attempt received enough data to make another one worthwhile.</summary>
    public bool MadeProgress { get; init; }
}

namespace Nano;

/// <summary>A request failed for a reason that may pass.</summary>
/// <param name="reason">Why, in half a sentence.</param>
/// <param name="inner">What caused it, if anything did.</param>
internal sealed class HubRetryException(string reason, Exception? inner = null) : Exception(reason, inner)
{
    /// <summary>How long the server asks to wait.</summary>
    public TimeSpan? Wait { get; init; }

    /// <summary>Whether a good deal came before, so that there is hope.</summary>
    public bool MadeProgress { get; init; }
}

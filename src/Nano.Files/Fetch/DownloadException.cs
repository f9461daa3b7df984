namespace Nano;

/// <summary>A file could not be fetched. The folder is as it was before.</summary>
/// <param name="file">The file.</param>
/// <param name="reason">The reason, in half a sentence.</param>
/// <param name="inner">The cause, or null.</param>
internal sealed class DownloadException(DataFile file, string reason, Exception? inner = null)
    : NanoException($"cannot download '{file.Name}' from {file.Url}: {reason}",
        "try again later, or put the file into the data folder by hand (NANO_DATA names the folder)", inner)
{
    /// <summary>The reason, in half a sentence.</summary>
    public string Reason { get; } = reason;
}

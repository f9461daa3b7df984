namespace Nano;

/// <summary>The body of an answer, read with a limit on the wait for each piece and on the rate of all.</summary>
/// <param name="body">The body.</param>
/// <param name="stallTimeout">The longest wait for the next piece.</param>
/// <param name="rateWindow">
/// The time for which a server may send less than <see cref="RateFloor.BytesPerSecond"/>.
/// </param>
/// <param name="stall">Cancelled when a piece does not come in time.</param>
/// <param name="failed">Makes the error of a reason, in half a sentence, and its cause.</param>
internal sealed class ResponseBody(Stream body, TimeSpan stallTimeout, TimeSpan rateWindow,
    CancellationTokenSource stall, Func<string, Exception?, Exception> failed)
{
    private readonly RateFloor floor = new(rateWindow);

    /// <summary>Reads a piece; 0 bytes at the end.</summary>
    public async Task<int> ReadAsync(byte[] chunk)
    {
        stall.CancelAfter(stallTimeout);
        try
        {
            int count = await body.ReadAsync(chunk, stall.Token).ConfigureAwait(false);
            return floor.Count(count) is { } problem ? throw failed(problem, null) : count;
        }
        catch (IOException e)
        {
            throw failed($"the connection broke: {Quoted.Reason(e)}", e);
        }
    }
}

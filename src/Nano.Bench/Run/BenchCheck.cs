namespace Nano;

/// <summary>
/// Proves a case right before it is timed, in two ways. The scalar code must give the same bits
/// (canonical arithmetic: no width, thread count or batch split may show); and a sample of elements
/// must agree with an independent computation in double precision, which would notice an error that
/// all widths share.
/// </summary>
public static class BenchCheck
{
    private const int Samples = 24;

    /// <exception cref="NanoException">The result is wrong; the message names case, output and element.</exception>
    public static void Verify(BenchCase of, BenchWork work, Compute compute)
    {
        var whole = work.Twin ?? (c =>
        {
            work.Prepare?.Invoke(c);
            work.Run(c);
        });
        compute.NextStep(); // gradients of earlier runs end here, or the scalar run would add to them
        float[][] scalar;
        using (var reference = new Compute(compute.Threads, SimdWidth.Scalar))
        {
            (work.Part ?? whole)(reference);
            scalar = [.. work.Outputs().Select(output => output.Values.Data.ToArray())];
            reference.NextStep();
        }
        whole(compute);
        var outputs = work.Outputs();
        for (int i = 0; i < outputs.Count; i++)
        {
            SameBits(of, outputs[i], scalar[i]);
            if (outputs[i].Expected is { } expected)
                CheckSamples(of, outputs[i], expected);
        }
        compute.NextStep();
    }

    /// <summary>
    /// Compares a peer's results with Nano's: both are float32 sums of the same terms, in another
    /// order.
    /// </summary>
    /// <exception cref="NanoException">They are not the same computation.</exception>
    public static void Compare(BenchCase of, BenchPeer peer)
    {
        foreach (var (name, theirs, own) in peer.Outputs())
        {
            if (theirs.Length != own.Length)
                throw new NanoException(
                    $"{of}: {peer.Name} computes {theirs.Length} elements of {name}, Nano {own.Length}");
            float scale = 0;
            foreach (float value in own)
                scale = Math.Max(scale, Math.Abs(value));
            for (int i = 0; i < own.Length; i++)
                if (!(Math.Abs(own[i] - theirs[i]) <= peer.Tolerance * scale))
                    throw new NanoException(
                        $"{of}: {peer.Name} computes {theirs[i]} for element {i} of {name}, Nano {own[i]}; largest "
                        + $"element {scale}");
        }
    }

    private static void SameBits(BenchCase of, BenchOutput output, float[] scalar)
    {
        var values = output.Values.Data;
        if (values.Length != scalar.Length)
            throw new NanoException(
                $"{of}: {output.Name} has {values.Length} elements, the scalar code made {scalar.Length}");
        for (int i = 0; i < scalar.Length; i++)
            if (BitConverter.SingleToInt32Bits(values[i]) != BitConverter.SingleToInt32Bits(scalar[i]))
                throw new NanoException(
                    $"{of}: {output.Name}, element {i} is {values[i]:R}, in scalar code {scalar[i]:R}: the "
                    + "bits differ");
    }

    private static void CheckSamples(BenchCase of, BenchOutput output,
        Func<long, (double Value, double Scale)> expected)
    {
        long length = output.Values.Length;
        for (int sample = 0; sample < Samples; sample++)
        {
            long i = sample == 0 ? 0 : sample == 1 ? length - 1 : Philox.Below(99, 0, (ulong)sample, length);
            var (value, scale) = expected(i);
            float actual = output.Values.Data[(int)i];
            if (!(Math.Abs(actual - value) <= output.Tolerance * scale))
                throw new NanoException(
                    $"{of}: {output.Name}, element {i} is {actual:R}, must be {value:R} (terms of size {scale:G3})");
        }
    }
}

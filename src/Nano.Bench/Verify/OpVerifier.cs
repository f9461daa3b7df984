namespace Nano;

/// <summary>
/// Runs single ops, forward and backward, against golden values computed in double precision
/// elsewhere. A tensor passes within ten times the error that float32 PyTorch makes plus 1e-6 of
/// its largest value, and only if every number is finite.
/// </summary>
public static class OpVerifier
{
    /// <summary>
    /// LayerNorm over a single element has gradient 0 in theory, and rounding noise times 1 /
    /// sqrt(eps) in practice: compared absolutely.
    /// </summary>
    private const double SingleElementTolerance = 1e-4;

    /// <summary>
    /// Checks every case of a folder that holds index.json and ops.safetensors; one row per output
    /// and gradient.
    /// </summary>
    /// <param name="directory">The folder.</param>
    /// <param name="compute">The context to run in; its step memory and tape are used and left
    /// empty.</param>
    /// <exception cref="NanoException">A file is missing.</exception>
    /// <exception cref="BadFileException">A file is damaged, or a case names a tensor that is not known
    /// here. A case of an unknown op fails, and the others are checked.</exception>
    public static IReadOnlyList<VerificationRow> Run(string directory, Compute compute)
    {
        using var golden = GoldenOps.Open(directory);
        var rows = new List<VerificationRow>();
        foreach (var test in golden.Cases)
        {
            try
            {
                compute.Tape = new Tape();
                var actual = GoldenOpRunner.Run(test, compute);
                rows.AddRange(test.Expected.Select(name => Compare(test, name, actual)));
            }
            catch (NotSupportedException)
            {
                rows.Add(new VerificationRow($"{test.Name} (op '{test.Op}' is not known here)", double.PositiveInfinity,
                    0, 0, false));
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException or KeyNotFoundException
                or IndexOutOfRangeException or OverflowException)
            {
                throw new BadFileException(golden.IndexPath, $"case {Quoted.Of(test.Name)}: {Quoted.Reason(e)}", e);
            }
            finally
            {
                compute.NextStep();
                compute.Tape = null;
            }
        }
        return rows;
    }

    private static VerificationRow Compare(GoldenOp test, string name, Dictionary<string, float[]> results)
    {
        if (!results.TryGetValue(name, out float[]? actual))
            throw new ArgumentException(
                $"op '{test.Op}' has no result '{name}'; it has {string.Join(", ", results.Keys)}");
        float[] expected = test.Floats(name);
        if (expected.Length != actual.Length)
            throw new ArgumentException(
                $"tensor '{name}' has {expected.Length} elements, the op gives {actual.Length}");
        double error = 0, scale = 0, reference = test.ReferenceError(name);
        for (int i = 0; i < actual.Length; i++)
        {
            double difference = Math.Abs((double)actual[i] - expected[i]);
            error = double.IsFinite(difference) ? Math.Max(error, difference) : double.PositiveInfinity;
            scale = Math.Max(scale, Math.Abs(expected[i]));
        }
        bool single = test.Op == "layernorm" && test.ShapeOf("x").Columns == 1 && test.Gradients.Contains(name);
        double allowed = single ? SingleElementTolerance : (10 * reference) + (1e-6 * scale);
        return new VerificationRow($"{test.Name}.{name}", error, scale, reference,
            double.IsFinite(error) && error <= allowed);
    }
}

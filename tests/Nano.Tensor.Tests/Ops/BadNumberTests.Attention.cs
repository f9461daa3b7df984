namespace Nano.Tests;

/// <summary>
/// In causal attention a bad number reaches what depends on it by the formulas of
/// <see cref="AttentionOp"/>, and nothing else: not the queries before a key, nor the keys
/// after a query, though they share tiles and blocks with it.
/// </summary>
public partial class BadNumberTests
{
    private const int Heads = 4, KeyHeads = 2, Group = Heads / KeyHeads;

    private enum Part
    {
        Q, K, V, Y,
    }

    private static bool IsOfKeys(Part part) => part is Part.K or Part.V;

    public static TheoryData<SimdWidth, int, int> AttentionSizesOfTests()
    {
        var data = new TheoryData<SimdWidth, int, int>();
        foreach (var width in SimdWidths.All)
            foreach (var (times, headDim) in new[] { (70, 32), (200, 10) }) // rows as they lie; copied and padded
                data.Add(width, times, headDim);
        return data;
    }

    /// <summary>q, k, v and dy of one batch entry, indexed by <see cref="Part"/>.</summary>
    private static Tensor[] AttentionInputs(int queries, int keys, int headDim)
    {
        var random = new Random(keys);
        return [.. Enum.GetValues<Part>().Select(part =>
            random.Normal(1, IsOfKeys(part) ? keys : queries, (IsOfKeys(part) ? KeyHeads : Heads) * headDim))];
    }

    /// <summary>A number of an input or a result: its position in time, its channel counted over all heads.</summary>
    private readonly record struct Place(Part Part, int Time, int Channel);

    /// <summary>
    /// Whether a result (Part.Y for the output, else the gradient of the part) depends on an input
    /// (Part.Y for dy).
    /// </summary>
    private static bool DependsOn(Place result, Place input, int headDim, int window)
    {
        int head = result.Channel / headDim, inputHead = input.Channel / headDim;
        int keyHead = IsOfKeys(result.Part) ? head : head / Group,
            inputKeyHead = IsOfKeys(input.Part) ? inputHead : inputHead / Group;
        bool sameColumn = result.Channel % headDim == input.Channel % headDim;
        if (keyHead != inputKeyHead)
            return false;
        int distance = result.Time - input.Time;
        if (IsOfKeys(result.Part) && IsOfKeys(input.Part) ? Math.Abs(distance) >= window // no query sees both
            : IsOfKeys(result.Part) ? -distance >= window : IsOfKeys(input.Part) && distance >= window)
            return false;
        return (result.Part, input.Part) switch
        {
            (Part.Y, Part.Y) or (Part.V, Part.V) => false, // linear in dy and v
            (Part.Y, Part.V) => result.Time >= input.Time && sameColumn,
            (Part.V, Part.Y) => result.Time <= input.Time && sameColumn,
            (Part.Y or Part.Q, Part.Q or Part.Y) => result.Time == input.Time && head == inputHead,
            (Part.Y or Part.Q, _) => result.Time >= input.Time,
            (_, Part.Q or Part.Y) => result.Time <= input.Time,
            _ => true, // any two keys are seen together by the last query
        };
    }

    /// <summary>
    /// Whether a result that depends on a bad input must be bad: at least those of the same
    /// position in time.
    /// </summary>
    private static bool IsSpoilt(Place result, Place input, float bad, int headDim)
    {
        // A score of -infinity hides a key, so only 0 k is sure to be NaN.
        bool maybeHidden = input.Part == Part.K && float.IsInfinity(bad);
        return result.Time == input.Time
            && (!maybeHidden || (result.Part == Part.Q && result.Channel % headDim == input.Channel % headDim));
    }

    /// <summary>The output and, with a tape, the gradients of q, k and v.</summary>
    private static Dictionary<Part, Tensor> AttentionResults(Compute compute, Tensor[] x, int window)
    {
        compute.NextStep();
        var y = compute.CausalAttention(x[0], x[1], x[2], Heads, KeyHeads, window: window == int.MaxValue ? 0 : window);
        var results = new Dictionary<Part, Tensor> { [Part.Y] = y.Copy() };
        compute.Tape?.Backward(compute, y, x[3]);
        if (compute.Tape != null)
            foreach (var part in new[] { Part.Q, Part.K, Part.V })
                results[part] = x[(int)part].Gradient.Copy();
        return results;
    }

    /// <summary>
    /// Spoils the first and the last channel of an input at one position, by every bad number in
    /// turn.
    /// </summary>
    private static void AssertOnlyDependentsChange(string what, Compute compute, Tensor[] x, Part part, int row,
        Dictionary<Part, Tensor> clean, int window)
    {
        int channels = x[(int)part].Shape[2], headDim = x[0].Shape[2] / Heads,
            firstQuery = x[1].Shape[1] - x[0].Shape[1];
        foreach (int channel in new[] { 0, channels - 1 })
            foreach (float bad in Bad)
            {
                var input = new Place(part, row + (IsOfKeys(part) ? 0 : firstQuery), channel);
                float good = x[(int)part].Data[(row * channels) + channel];
                x[(int)part].Data[(row * channels) + channel] = bad;
                foreach (var (name, spoilt) in AttentionResults(compute, x, window))
                    AssertOnlyDependentsChange($"{what}, {bad} in {input}", name, IsOfKeys(name) ? 0 : firstQuery,
                        clean[name], spoilt, input, bad, headDim, window);
                x[(int)part].Data[(row * channels) + channel] = good;
            }
    }

    private static void AssertOnlyDependentsChange(string what, Part name, int firstTime, Tensor clean, Tensor spoilt,
        Place input, float bad, int headDim, int window)
    {
        int[] expected = clean.Bits(), actual = spoilt.Bits();
        for (int i = 0; i < expected.Length; i++)
        {
            var result = new Place(name, firstTime + (i / clean.Shape[2]), i % clean.Shape[2]);
            float value = BitConverter.Int32BitsToSingle(actual[i]);
            bool depends = DependsOn(result, input, headDim, window);
            if (!depends && expected[i] != actual[i])
                Assert.Fail($"{what}: {result} became {value}");
            if (depends && float.IsFinite(value) && IsSpoilt(result, input, bad, headDim))
                Assert.Fail($"{what}: {result} is {value}");
        }
    }

    /// <summary>
    /// With one thread all gradients come from one pass; with seven, and three blocks of queries,
    /// from two.
    /// </summary>
    [Theory, MemberData(nameof(AttentionSizesOfTests))]
    public void A_bad_number_reaches_what_depends_on_it_in_attention(SimdWidth width, int times, int headDim) =>
        AssertEveryBadNumber(width, times, headDim, int.MaxValue, 1, 7);

    [Theory, MemberData(nameof(AttentionSizesOfTests))]
    public void A_bad_number_reaches_what_depends_on_it_within_a_window(SimdWidth width, int times, int headDim) =>
        AssertEveryBadNumber(width, times, headDim, 40, times == 70 ? 1 : 7);

    private static void AssertEveryBadNumber(SimdWidth width, int times, int headDim, int window,
        params ReadOnlySpan<int> teams)
    {
        foreach (int threads in teams)
        {
            using var compute = new Compute(threads, width) { Tape = new Tape() };
            var x = AttentionInputs(times, times, headDim);
            var clean = AttentionResults(compute, x, window);
            // A window of 40 shows key 57 to query 96 of the second block and to no other query there: an
            // infinite score may hide it, and its neighbours multiply it.
            foreach (int row in new[] { 0, 11, 12, 50, 57, 69, 95, 96, 130, 199 }.Where(row => row < times))
                foreach (var part in Enum.GetValues<Part>())
                    AssertOnlyDependentsChange($"{width}, {threads} threads, window {window}", compute, x, part, row,
                        clean, window);
        }
    }

    /// <summary>A few queries, and more than a step of decoding has.</summary>
    [Theory, MemberData(nameof(AttentionSizesOfTests))]
    public void A_bad_number_reaches_what_depends_on_it_in_cached_attention(SimdWidth width, int times, int headDim)
    {
        using var compute = new Compute(2, width);
        foreach (int window in new[] { int.MaxValue, 5, 50 })
            foreach (int queries in new[] { 1, 2, 5, AttentionSizes.StepQueries, AttentionSizes.StepQueries + 1, 60 })
                for (int keys = times - 1; keys > times - (window == int.MaxValue ? 5 : 2); keys--)
                {
                    var x = AttentionInputs(queries, keys, headDim);
                    var clean = AttentionResults(compute, x, window);
                    foreach (int later in new[] { 1, 2, 4, 7, 30, 66 })
                    {
                        AssertOnlyDependentsChange($"{width}, {queries} queries, window {window}", compute, x, Part.K,
                            keys - later, clean, window);
                        AssertOnlyDependentsChange($"{width}, {queries} queries, window {window}", compute, x, Part.V,
                            keys - later, clean, window);
                        if (later <= queries)
                            AssertOnlyDependentsChange($"{width}, {queries} queries, window {window}", compute, x,
                                Part.Q, queries - later, clean, window);
                    }
                }
    }
}

namespace Nano.Tests;

/// <summary>Models of other architectures against PyTorch in double precision, see tests/goldens/README.md.</summary>
public class ZooTests
{
    public static TheoryData<string> Models =>
        [.. Goldens.ZooModels];

    // Rows hold errors, so that equal rows are equal bits.
    [Theory, MemberData(nameof(Models))]
    public void A_model_agrees_with_its_golden_values_with_equal_bits_at_every_width_and_number_of_threads(string model)
    {
        var rows = Run(model, new Compute(2));
        Assert.Contains(rows, row => row.Name.StartsWith("grad.", StringComparison.Ordinal));
        Assert.Contains(rows, row => row.Name.StartsWith("after3.", StringComparison.Ordinal));
        Assert.All(rows, row =>
            Assert.True(row.Pass, $"{row}, allowed {(10 * row.ReferenceError) + (1e-6 * row.Scale)}"));
        foreach (SimdWidth width in Enum.GetValues<SimdWidth>())
            Assert.Equal(rows, Run(model, new Compute(1, width)));
        foreach (int threads in (int[])[3, 7])
            Assert.Equal(rows, Run(model, new Compute(threads)));
    }

    private static IReadOnlyList<VerificationRow> Run(string model, Compute compute)
    {
        using (compute)
            return GoldenFolder.Run(Goldens.Zoo(model), compute, "data").Rows;
    }
}

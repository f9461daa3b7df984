namespace Nano.Tests;

/// <summary>The lines of code in the README, compiled here from the very same text.</summary>
public class ReadmeTests
{
    /// <summary>
    /// What the lines compute, written out in double precision: with two classes, the loss of a row
    /// is log(1 + e^-d), where d is the right logit minus the other.
    /// </summary>
    [Fact]
    public void The_lines_of_the_readme_compute_what_the_formulas_say()
    {
        // <README>
        using var compute = new Compute(); // all cores, the widest SIMD of this machine
        var x = Tensor.From(new Shape(4, 2), [0f, 0, 0, 1, 1, 0, 1, 1]); // four rows of two numbers
        var targets = Tensor.FromIds(new Shape(4), [0, 1, 1, 1]); // the class of each row: logical or
        var weight = Tensor.From(new Shape(2, 2), [0.1f, -0.2f, 0.3f, 0.4f]);
        using var adamw = new AdamW([weight], new OptimizerOptions());

        var tape = compute.Tape = new Tape();
        var (loss, _) = compute.CrossEntropy(compute.Linear(x, weight, null), targets);
        tape.Backward(compute, loss);
        adamw.Step(compute, learningRate: 0.01, gradientScale: 1);
        Console.WriteLine($"loss {loss.Data[0]:F4}, gradient {weight.Gradient.Data[0]:F4}, weight {weight.Data[0]:F4}");
        // </README>

        double[] differences = [0, 0.4 - -0.2, 0.3 - 0.1, 0.3 + 0.4 - (0.1 - 0.2)]; // of the rows' logits, w1 x - w0 x
        double expected = (Math.Log(2) + differences[1..].Sum(d => Math.Log(1 + Math.Exp(-d)))) / 4;
        Assert.Equal(expected, loss.Data[0], 1e-6);
        // Of weight[0, 0], the factor of x0 in class 0: the probability of class 0 in the rows with x0 = 1, over 4.
        double gradient = ((1 / (1 + Math.Exp(differences[2]))) + (1 / (1 + Math.Exp(differences[3])))) / 4;
        Assert.Equal(gradient, weight.Gradient.Data[0], 1e-6);
        // The first step of AdamW is the learning rate along the sign of the gradient, and the decay of 0.1.
        Assert.Equal((0.1 * (1 - (0.01 * 0.1))) - 0.01, weight.Data[0], 1e-6);
    }

    [Fact]
    public void They_are_the_lines_of_the_readme()
    {
        string readme = File.ReadAllText(Path.Combine(Goldens.Path("."), "..", "..", "README.md"))
            .ReplaceLineEndings("\n");
        string source = File.ReadAllText(Goldens.Path("../Nano.Train.Tests/ReadmeTests.cs")).ReplaceLineEndings("\n");
        string shown = Between(readme, "```csharp\n", "```");
        string compiled = Between(source, "        // <README>\n", "        // </README>");
        Assert.Equal(shown, compiled.Replace("\n        ", "\n", StringComparison.Ordinal)[8..]);
    }

    private static string Between(string text, string before, string after)
    {
        int start = text.IndexOf(before, StringComparison.Ordinal) + before.Length;
        return text[start..text.IndexOf(after, start, StringComparison.Ordinal)];
    }
}

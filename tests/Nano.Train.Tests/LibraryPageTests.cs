namespace Nano.Tests;

/// <summary>The example of docs/library.md, compiled here from the very same text.</summary>
public class LibraryPageTests
{
    [Fact]
    public void The_network_of_the_page_learns_the_spirals()
    {
        // <PAGE>
        const int Points = 200, Width = 32;
        Tensor x = new(new Shape(Points, 2)), spirals = new(new Shape(Points), DType.Int32);
        for (int i = 0; i < Points; i++) // two spirals, one turn and a half each; the class of a point is its spiral
        {
            double radius = (i / 2 + 1) / 100.0, angle = 3 * Math.PI * radius + i % 2 * Math.PI;
            x.Data[2 * i] = (float)(radius * Math.Cos(angle));
            x.Data[2 * i + 1] = (float)(radius * Math.Sin(angle));
            spirals.Ids[i] = i % 2;
        }

        Tensor[] weights = [new(new Shape(Width, 2)), new(new Shape(Width, Width)), new(new Shape(2, Width))];
        Tensor[] biases = [new(new Shape(Width)), new(new Shape(Width)), new(new Shape(2))];
        for (int i = 0; i < weights.Length; i++)
            weights[i].HeNormal(key: 1, stream: (ulong)i);
        using var compute = new Compute { Tape = new Tape() };
        using var adamw = new AdamW([.. weights, .. biases], new OptimizerOptions());

        Tensor Logits()
        {
            var h = compute.Activation(ActivationKind.Relu, compute.Linear(x, weights[0], biases[0]));
            h = compute.Activation(ActivationKind.Relu, compute.Linear(h, weights[1], biases[1]));
            return compute.Linear(h, weights[2], biases[2]);
        }

        float last = 0;
        for (int step = 0; step < 500; step++)
        {
            compute.NextStep(); // what the step before computed is gone
            var (loss, _) = compute.CrossEntropy(Logits(), spirals);
            compute.Tape.Backward(compute, loss);
            adamw.Step(compute, learningRate: 0.01, gradientScale: 1);
            last = loss.Data[0];
        }
        var found = compute.ArgMax(Logits(), axis: 1);
        int right = Enumerable.Range(0, Points).Count(i => found.Ids[i] == spirals.Ids[i]);
        Console.WriteLine($"loss {last:F3}, {right} of {Points} right");
        // </PAGE>

        Assert.Equal(Points, right);
        Assert.InRange(last, 0, 0.1f);
        Assert.Contains($"loss {last:F3}, {right} of {Points} right", Page(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_picture_has_a_class()
    {
        string folder = Goldens.Zoo("vit"), photo = Goldens.Path("pictures/rgb.png");
        // <PICTURES>
        using var vit = (Vit)AnyModel.Load(folder);
        using var compute = new Compute();
        Tensor pictures = AnyModel.LoadImageProcessor(folder).Read(photo); // [1, 3, S, S]
        Tensor logits = vit.Forward(compute, pictures); // [1, classes]
        Console.WriteLine($"class {compute.ArgMax(logits, axis: 1).Ids[0]} of {logits.Shape[1]}");
        // </PICTURES>

        Assert.Equal(3, pictures.Shape[1]);
        Assert.DoesNotContain(logits.Data.ToArray(), value => !float.IsFinite(value));
    }

    [Theory]
    [InlineData("PAGE", "## A network of your own")]
    [InlineData("PICTURES", "## Pictures")]
    public void They_are_the_lines_of_the_page(string mark, string heading)
    {
        string source = File.ReadAllText(Goldens.Path("../Nano.Train.Tests/LibraryPageTests.cs"))
            .ReplaceLineEndings("\n");
        string compiled = Between(source, $"        // <{mark}>\n", $"        // </{mark}>"), page = Page();
        Assert.Equal(Between(page[page.IndexOf(heading, StringComparison.Ordinal)..], "```csharp\n", "```"),
            compiled.Replace("\n        ", "\n", StringComparison.Ordinal)[8..]);
    }

    private static string Page() =>
        File.ReadAllText(Path.Combine(Goldens.Path("."), "..", "..", "docs", "library.md")).ReplaceLineEndings("\n");

    private static string Between(string text, string before, string after)
    {
        int start = text.IndexOf(before, StringComparison.Ordinal) + before.Length;
        return text[start..text.IndexOf(after, start, StringComparison.Ordinal)];
    }
}

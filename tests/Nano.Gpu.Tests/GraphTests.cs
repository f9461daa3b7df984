namespace Nano.Tests;

/// <summary>What becomes of nodes on their way into a file.</summary>
public class GraphTests
{
    [Fact]
    public void Nodes_that_no_output_needs_are_left_out()
    {
        var graph = new OnnxGraph("test");
        graph.Input("x", OnnxType.Float32, 1);
        string needed = graph.Node("Exp", ["x"]), inVain = graph.Node("Sin", [needed]);
        graph.Node("Tanh", [inVain]);
        graph.Result("y", graph.Node("Sqrt", [needed]), 1);
        var model = graph.ToModel();
        Assert.Equal(3, graph.NodeCount); // with the one that gives y its name
        Assert.Equal([true, true, false, false], ((string[])["Exp", "Sqrt", "Sin", "Tanh"])
            .Select(op => model.Span.IndexOf(System.Text.Encoding.UTF8.GetBytes(op)) >= 0));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(23)]
    public void Many_values_are_joined_in_their_order(int count)
    {
        ExportTests.NeedsLibrary();
        var graph = new OnnxGraph("test");
        graph.Input("x", OnnxType.Float32, 2);
        graph.Result("y", graph.Joined([.. Enumerable.Range(0, count)
            .Select(i => graph.Node("Mul", ["x", graph.Constant(i)]))]), 2 * count);
        using var session = new OrtSession(graph.ToModel().Span, OrtProvider.Cpu, 1);
        using OrtTensor x = OrtTensor.OfFloats(2), y = OrtTensor.OfFloats(2 * count);
        (x.Floats[0], x.Floats[1]) = (1, 100);
        session.Run([("x", x)], [("y", y)]);
        Assert.Equal(Enumerable.Range(0, count).SelectMany(i => new float[] { i, 100 * i }), y.Floats.ToArray());
    }
}

namespace Nano.Tests;

/// <summary>What is said of a graph with ops that a device lacks.</summary>
public class MissingOpTests
{
    private const OnnxType BFloat16 = (OnnxType)16;

    private static readonly ModelConfig Config = new Gpt2Config
    {
        VocabSize = 7,
        ContextLength = 5,
        Layers = 2,
        Heads = 1,
        Channels = 4
    };

    [Fact]
    public void Nodes_are_named_by_layer_op_and_direction()
    {
        using var model = LanguageModel.Create(Config);
        string nodes = System.Text.Encoding.Latin1.GetString(OnnxExporter.BuildGradients(model).ToModel().Span);
        foreach (string name in (string[])["wte/Embedding/Gather_", "wpe/Add/Gather_", "h.0.ln_1/LayerNorm/ReduceMean_",
            "h.1.attn.c_attn/Linear/MatMul_",
            "h.1.attn.c_attn/Attention/Softmax_", "h.1.mlp.c_fc/Activation/Tanh_",
                "h.0.mlp.c_proj/Linear.backward/Gemm_", "h.0.attn.c_attn/Attention.backward/Softmax_",
                    "wte/LinearCrossEntropy/ScatterElements_"])
            Assert.Contains(name, nodes, StringComparison.Ordinal);
    }

    /// <summary>ONNX Runtime's processor kernels compute nothing in bfloat16, and say so at once.</summary>
    [Theory]
    [InlineData("onnx-cpu")]
    [InlineData("webgpu")]
    public void Types_that_a_device_lacks(string device)
    {
        var provider = Providers.Needs(device);
        var graph = new OnnxGraph("test");
        graph.Input("x", BFloat16, "n");
        graph.Scope = "h.3.mlp.c_fc/Linear.backward/";
        string y = graph.Node("Mul", ["x", "x"]);
        Output(graph, y, BFloat16);
        var error = Assert.Throws<NanoException>(() => new OrtSession(graph.ToModel().Span, provider, 1));
        Assert.StartsWith($"'{device}' cannot compute Mul in Linear.backward of 'h.3.mlp.c_fc' (node Mul_0): ",
            error.Message, StringComparison.Ordinal);
        Assert.NotNull(error.Hint);
    }

    /// <summary>WebGPU has no OneHot, and ONNX Runtime's error does not say which node it is about.</summary>
    [Fact]
    public void Ops_that_a_device_lacks()
    {
        var provider = Providers.Needs("webgpu");
        var graph = new OnnxGraph("test");
        graph.Input("x", OnnxType.Int32, "n");
        graph.Weight(OnnxWeight.Of("values", Tensor.From(new Shape(2), [0f, 1f])));
        string first = graph.Node("OneHot", ["x", graph.Scalar(5, OnnxType.Int32), "values"]),
            second = graph.Node("Sinh", [first]);
        graph.Scope = "model.layers.7.self_attn.q_proj/Attention/";
        string third = graph.Node("OneHot", ["x", graph.Scalar(6, OnnxType.Int32), "values"]),
            logarithm = graph.Node("Det", [graph.Node("MatMul", [third, graph.Node("Transpose", [third])])]);
        Output(graph, graph.Node("Add", [second, logarithm]), OnnxType.Float32);
        var error = Assert.Throws<NanoException>(() => new OrtSession(graph.ToModel().Span, provider, 1));
        Assert.Contains("'webgpu' cannot compute OneHot in node 'OneHot_0' and 1 more", error.Message,
            StringComparison.Ordinal);
        Assert.Contains("; Det in Attention of 'model.layers.7.self_attn.q_proj' (node Det_5)", error.Message,
            StringComparison.Ordinal);
    }

    private static void Output(OnnxGraph graph, string value, OnnxType type)
    {
        graph.Node("Identity", [value], ["y"]);
        graph.OutputOfAnyShape("y", type);
    }
}

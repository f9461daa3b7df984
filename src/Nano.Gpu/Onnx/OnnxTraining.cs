namespace Nano;

/// <summary>
/// A training step as graphs: gradients (forward, loss, backward), update (AdamW), or both with
/// clipping between them. All weights, moments and gradients are inputs and, as "next." + name,
/// outputs; nothing of a run is in the graph but its constants. Between the two graphs is where
/// gradients of several processes would be added up.
/// </summary>
internal static class OnnxTraining
{
    // moments are named as in a checkpoint
    public const string Next = "next.", Gradient = "grad.", Mean = ".mean", Square = ".square";
    public const string Loss = "loss", Squares = "squares", Losses = "losses", Denominator = "denominator",
        LossScale = "loss_scale", Keep = "keep";
    public const string LearningRate = "learning_rate", MeanCorrection = "mean_correction", RootCorrection =
        "root_correction", GradientScale = "gradient_scale", ClipNorm = "clip_norm", Norm = "gradient_norm";

    /// <summary>The options of graphs that run on a device of this machine.</summary>
    public static readonly OnnxExportOptions OnDevice = new() { Int32 = true };

    /// <summary>
    /// input_ids and targets [batch_size, sequence_length], the weights, denominator and loss_scale
    /// to loss, the sum of -log p of the kept targets over the denominator; "next.grad." + name,
    /// the gradients times loss_scale; and squares [P], the sum of squares of each. Where gradients
    /// are added up, "grad." + name are inputs too, which count if keep is 1 and not if it is 0.
    /// </summary>
    /// <param name="model">The model to train.</param>
    /// <param name="how">The options of the recording.</param>
    /// <param name="loss">The options of the loss.</param>
    /// <param name="accumulates">Whether gradients are added to others.</param>
    /// <param name="lossBlocks">See <see cref="OnnxOps.LossBlocks"/>.</param>
    public static OnnxGraph Gradients(LanguageModel model, OnnxExportOptions how, LossOptions loss,
        bool accumulates = false, int lossBlocks = 1)
    {
        using var recording = new OnnxRecording(model, how with { Gradients = true }, weightsAreInputs: true,
            Denominator, lossBlocks);
        var graph = recording.Graph;
        graph.Input(Denominator, OnnxType.Float32);
        graph.Input(LossScale, OnnxType.Float32);
        if (accumulates)
            graph.Input(Keep, OnnxType.Float32);
        recording.Loss(loss);
        graph.Result(Loss, graph.Node("Div", [graph.Node("ReduceSum", [recording.TokenLosses()], ("keepdims", 0)),
            Denominator]));
        recording.Backward(LossScale);
        var squares = new List<string>();
        foreach (var parameter in model.Parameters.All)
        {
            string gradient = recording.Gradient(parameter), name = Gradient + parameter.Name;
            object[] shape = OnnxGraph.Dimensions(parameter);
            if (accumulates)
            {
                graph.Input(name, OnnxType.Float32, shape);
                string kept = graph.Node("Where", [graph.Node("Greater", [Keep, graph.Constant(0)]), name,
                    graph.Constant(0)]);
                gradient = graph.Node("Add", [gradient, kept]);
            }
            graph.Result(Next + name, gradient, shape);
            squares.Add(SumOfSquares(graph, parameter, gradient));
        }
        graph.Result(Squares, graph.Joined(squares), squares.Count);
        return graph;
    }

    /// <summary>
    /// Weights, their moments and gradients to the next weights and moments: AdamW, see
    /// <see cref="AdamW(OnnxGraph, Tensor, string, AdamWScalars, OptimizerOptions)"/>. Scalars are
    /// inputs: learning_rate, mean_correction 1 / (1 - beta1^t), root_correction 1 / sqrt(1 -
    /// beta2^t), and gradient_scale, the factor on every gradient.
    /// </summary>
    public static OnnxGraph Update(IReadOnlyList<Tensor> parameters, OptimizerOptions options)
    {
        var graph = new OnnxGraph("update");
        foreach (var parameter in parameters)
        {
            graph.Input(parameter.Name!, OnnxType.Float32, OnnxGraph.Dimensions(parameter));
            graph.Input(Gradient + parameter.Name, OnnxType.Float32, OnnxGraph.Dimensions(parameter));
        }
        graph.Input(GradientScale, OnnxType.Float32);
        AdamW(graph, parameters, options, parameter => Gradient + parameter.Name, GradientScale);
        return graph;
    }

    /// <summary>
    /// The whole step: input_ids and targets [batch_size, sequence_length] (-100 leaves a target
    /// out), weights, moments, learning_rate, mean_correction, root_correction and clip_norm to
    /// loss, gradient_norm and the next weights and moments.
    /// </summary>
    public static OnnxGraph Whole(LanguageModel model, OnnxExportOptions how, LossOptions loss,
        OptimizerOptions options)
    {
        using var recording = new OnnxRecording(model, how with { Gradients = true }, weightsAreInputs: true);
        var graph = recording.Graph;
        graph.Input(ClipNorm, OnnxType.Float32);
        graph.Result(Loss, recording.Loss(loss));
        recording.Backward(graph.Constant(1));
        var squares = model.Parameters.All
            .Select(parameter => SumOfSquares(graph, parameter, recording.Gradient(parameter))).ToList();
        string norm = graph.Node("Sqrt", [graph.Node("ReduceSum", [graph.Joined(squares)], ("keepdims", 0))]);
        graph.Result(Norm, norm);
        string scale = graph.Node("Min",
            [graph.Node("Div", [ClipNorm, graph.Node("Add", [norm, graph.Constant(1e-6f)])]), graph.Constant(1)]);
        AdamW(graph, model.Parameters.All, options, recording.Gradient, scale);
        return graph;
    }

    /// <summary>
    /// input_ids and targets int32 [batch, sequence] and the weights to losses [batch, sequence]:
    /// -log p of every target, 0 where it is left out.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="lossBlocks">See <see cref="OnnxOps.LossBlocks"/>.</param>
    public static OnnxGraph TokenLosses(LanguageModel model, int lossBlocks = 1)
    {
        using var recording = new OnnxRecording(model, OnDevice, weightsAreInputs: true, lossBlocks: lossBlocks);
        recording.Loss(default);
        recording.Graph.Result(Losses, recording.TokenLosses(), OnnxRecording.Batch, OnnxRecording.Sequence);
        return recording.Graph;
    }

    /// <summary>
    /// Number of blocks of the loss of this many rows: as many as divide them evenly with at least
    /// 512 each, enough for products to run at their peak.
    /// </summary>
    public static int LossBlocks(long rows)
    {
        int blocks = (int)Math.Max(1, rows / 512);
        while (rows % blocks != 0)
            blocks--;
        return blocks;
    }

    private static void AdamW(OnnxGraph graph, IReadOnlyList<Tensor> parameters, OptimizerOptions options,
        Func<Tensor, string> gradient, string gradientScale)
    {
        foreach (string scalar in (string[])[LearningRate, MeanCorrection, RootCorrection])
            graph.Input(scalar, OnnxType.Float32);
        var scalars = new AdamWScalars(graph, gradientScale, options);
        foreach (var parameter in parameters)
        {
            object[] shape = OnnxGraph.Dimensions(parameter);
            foreach (string moment in (string[])[Mean, Square])
                graph.Input(parameter.Name + moment, OnnxType.Float32, shape);
            var (value, mean, square) = AdamW(graph, parameter, gradient(parameter), scalars, options);
            graph.Result(Next + parameter.Name, value, shape);
            graph.Result(Next + parameter.Name + Mean, mean, shape);
            graph.Result(Next + parameter.Name + Square, square, shape);
        }
    }

    /// <summary>
    /// Scalars shared by all tensors of an update, from the inputs learning_rate, mean_correction
    /// and root_correction and the factor s on the gradients.
    /// </summary>
    private readonly record struct AdamWScalars
    {
        /// <param name="graph">The graph with the inputs.</param>
        /// <param name="scale">s, a value.</param>
        /// <param name="options">The constants.</param>
        public AdamWScalars(OnnxGraph graph, string scale, OptimizerOptions options)
        {
            string rate = graph.Node("Mul", [LearningRate, MeanCorrection]);
            TakeMean = graph.Node("Mul", [scale, graph.Constant((float)(1 - options.Beta1))]);
            TakeSquare = graph.Node("Mul", [graph.Node("Mul", [scale, scale]),
                graph.Constant((float)(1 - options.Beta2))]);
            RootFactor = graph.Node("Div", [RootCorrection, rate]);
            RootTerm = graph.Node("Div", [graph.Constant((float)options.Epsilon), rate]);
            Shrink = graph.Node("Sub", [graph.Constant(1),
                graph.Node("Mul", [LearningRate, graph.Constant((float)options.WeightDecay)])]);
        }

        /// <summary>(1 - b1) s.</summary>
        public string TakeMean { get; }

        /// <summary>(1 - b2) s^2.</summary>
        public string TakeSquare { get; }

        /// <summary>root_correction / rate, rate = learning_rate mean_correction.</summary>
        public string RootFactor { get; }

        /// <summary>eps / rate.</summary>
        public string RootTerm { get; }

        /// <summary>
        /// The factor that weight decay applies to a weight: 1 - learning rate * weight decay.
        /// </summary>
        public string Shrink { get; }
    }

    /// <summary>
    /// m = b1 m + (1 - b1) s g, v = b2 v + (1 - b2) (s g)^2, p = p (1 - lr wd) - m / (sqrt(v) f +
    /// e): the kernel's rule (<see cref="AdamWKernel"/>) with the step size drawn into the
    /// denominator's factor f and term e.
    /// </summary>
    private static (string Value, string Mean, string Square) AdamW(OnnxGraph graph, Tensor parameter, string gradient,
        AdamWScalars scalars, OptimizerOptions options)
    {
        string name = parameter.Name!,
            mean = Add(Mul(name + Mean, graph.Constant((float)options.Beta1)), Mul(gradient, scalars.TakeMean));
        string square = Add(Mul(name + Square, graph.Constant((float)options.Beta2)),
            Mul(Mul(gradient, gradient), scalars.TakeSquare));
        string root = Add(Mul(graph.Node("Sqrt", [square]), scalars.RootFactor), scalars.RootTerm);
        string kept = parameter.Shape.Rank >= 2 && options.WeightDecay > 0 ? Mul(name, scalars.Shrink) : name;
        return (graph.Node("Sub", [kept, graph.Node("Div", [mean, root])]), mean, square);

        string Mul(string a, string b) => graph.Node("Mul", [a, b]);
        string Add(string a, string b) => graph.Node("Add", [a, b]);
    }

    /// <summary>The sum of squares of a gradient, [1]; of a matrix, row by row first.</summary>
    private static string SumOfSquares(OnnxGraph graph, Tensor parameter, string gradient)
    {
        if (parameter.Shape.Rank == 1)
            return graph.Node("ReduceSumSquare", [gradient], ("keepdims", 1));
        string rows = graph.Node("ReduceSumSquare", [gradient], ("axes", new[] { parameter.Shape.Rank - 1 }),
            ("keepdims", 0));
        return graph.Node("Reshape", [graph.Node("ReduceSum", [rows], ("keepdims", 0)), graph.Integers(1)]);
    }
}

namespace Nano;

/// <summary>
/// The vision tower of CLIP: rows of patches behind a class row, a norm, L blocks; another norm on the class row.
/// </summary>
internal sealed class ClipVision
{
    private readonly TowerConfig config;
    private readonly PatchEmbedding embedding;
    private readonly Norm before, after;
    private readonly Tower tower;

    /// <summary>Declares the parameters, whose names begin with a prefix.</summary>
    public ClipVision(TowerConfig config, ImageSizes images, Parameters parameters, string prefix)
    {
        this.config = config;
        int C = config.Channels;
        string name = prefix + "embeddings.";
        ParameterFacts facts = new(ParameterRole.Embedding, ModelComponent.Embedding);
        embedding = new(images,
            parameters.Add(name + "patch_embedding.weight", facts, C, images.Colours, images.Patch, images.Patch), null,
            parameters.Add(name + "class_embedding", facts with { Role = ParameterRole.Bias }, C),
            parameters.Add(name + "position_embedding.weight", facts with { Role = ParameterRole.Position },
                images.Patches + 1, C));
        before = Norm("pre_layrnorm"); // the published files spell it so
        tower = new(config, parameters, prefix + "encoder.layers", Clip.Names);
        after = Norm("post_layernorm");

        Norm Norm(string norm) =>
            Nano.Norm.Declare(parameters, prefix + norm, null, C, NormKind.Layer, config.NormEpsilon);
    }

    /// <summary>Images [B, 3, H, W] as rows [B, n + 1, C] behind the first blocks.</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="images">Their pixels.</param>
    /// <param name="count">The number of blocks that run.</param>
    /// <param name="watch">Is shown the residual stream as vision.block0 and so on.</param>
    /// <exception cref="NanoException">The images have another size.</exception>
    public Tensor Rows(Compute c, Tensor images, int count, Action<string, Tensor>? watch) =>
        tower.Forward(c, before.Forward(c, embedding.Forward(c, images)), count, isCausal: false,
            (i, x) => watch?.Invoke($"vision.block{i}", x));

    /// <summary>The normalised class row behind all blocks, [B, C].</summary>
    /// <exception cref="NanoException">The images have another size.</exception>
    public Tensor Pool(Compute c, Tensor images, Action<string, Tensor>? watch)
    {
        var rows = Rows(c, images, config.Layers, watch);
        return after.Forward(c, c.Slice(rows, 1, 0, 1).Reshape(new Shape(images.Shape[0], config.Channels)));
    }
}

namespace Nano.Tests;

/// <summary>What the models say about their parameters, against the papers and the files of transformers.</summary>
public class ParameterRoleTests
{
    static readonly Gpt2Config Gpt2Tiny = new()
    {
        VocabSize = 11,
        ContextLength = 8,
        Layers = 2,
        Heads = 2,
        Channels = 4,
        TiedHead = false
    };

    static readonly DecoderConfig LlamaTiny = new()
    {
        VocabSize = 11,
        ContextLength = 8,
        Layers = 2,
        Heads = 2,
        Channels = 4,
        Intermediate = 6,
        QkvBias = true,
        QkNorm = true,
        TiedHead = false,
    };

    [Theory]
    [InlineData("wte.weight", ParameterRole.Embedding, ModelComponent.Embedding, null, "embed")]
    [InlineData("wpe.weight", ParameterRole.Position, ModelComponent.Embedding, null, "embed")]
    [InlineData("h.1.ln_1.weight", ParameterRole.Norm, ModelComponent.Norm, 1, "block1")]
    [InlineData("h.1.ln_2.bias", ParameterRole.Bias, ModelComponent.Norm, 1, "block1")]
    [InlineData("h.0.attn.c_attn.weight", ParameterRole.Inner, ModelComponent.Attention, 0, "block0")]
    [InlineData("h.0.attn.c_attn.bias", ParameterRole.Bias, ModelComponent.Attention, 0, "block0")]
    [InlineData("h.0.attn.c_proj.weight", ParameterRole.ResidualOut, ModelComponent.Attention, 0, "block0")]
    [InlineData("h.0.mlp.c_fc.weight", ParameterRole.Inner, ModelComponent.Mlp, 0, "block0")]
    [InlineData("h.1.mlp.c_proj.weight", ParameterRole.ResidualOut, ModelComponent.Mlp, 1, "block1")]
    [InlineData("ln_f.weight", ParameterRole.Norm, ModelComponent.Norm, null, "final_norm")]
    [InlineData("ln_f.bias", ParameterRole.Bias, ModelComponent.Norm, null, "final_norm")]
    [InlineData("lm_head.weight", ParameterRole.Head, ModelComponent.Head, null, "head")]
    public void Gpt2_states_the_role_of_each_parameter(
        string name, ParameterRole role, ModelComponent component, int? block, string group) =>
        Check(Gpt2Tiny, name, role, component, block, group);

    [Theory]
    [InlineData("model.embed_tokens.weight", ParameterRole.Embedding, ModelComponent.Embedding, null, "embed")]
    [InlineData("model.layers.1.input_layernorm.weight", ParameterRole.Norm, ModelComponent.Norm, 1, "block1")]
    [InlineData("model.layers.0.self_attn.q_proj.weight", ParameterRole.Inner, ModelComponent.Attention, 0, "block0")]
    [InlineData("model.layers.0.self_attn.k_proj.bias", ParameterRole.Bias, ModelComponent.Attention, 0, "block0")]
    [InlineData("model.layers.0.self_attn.q_norm.weight", ParameterRole.Norm, ModelComponent.Norm, 0, "block0")]
    [InlineData("model.layers.1.self_attn.o_proj.weight", ParameterRole.ResidualOut, ModelComponent.Attention,
        1, "block1")]
    [InlineData("model.layers.1.mlp.gate_proj.weight", ParameterRole.Inner, ModelComponent.Mlp, 1, "block1")]
    [InlineData("model.layers.1.mlp.down_proj.weight", ParameterRole.ResidualOut, ModelComponent.Mlp, 1, "block1")]
    [InlineData("model.norm.weight", ParameterRole.Norm, ModelComponent.Norm, null, "final_norm")]
    [InlineData("lm_head.weight", ParameterRole.Head, ModelComponent.Head, null, "head")]
    public void Llama_states_the_role_of_each_parameter(
        string name, ParameterRole role, ModelComponent component, int? block, string group) =>
        Check(LlamaTiny, name, role, component, block, group);

    static void Check(
        ModelConfig config, string name, ParameterRole role, ModelComponent component, int? block, string group)
    {
        var facts = config.ParameterShapes().Single(parameter => parameter.Name == name).Facts;
        Assert.Equal((role, component, block, group), (facts.Role, facts.Component, facts.Block, facts.Group));
        using var model = LanguageModel.Create(config);
        Assert.Equal(facts, model.Parameters.All.Single(parameter => parameter.Name == name).Parameter);
    }

    [Fact]
    public void Queries_and_keys_are_rotated_and_a_fused_matrix_has_three_parts()
    {
        Assert.Equal(["q_proj", "k_proj"], LlamaTiny.ParameterShapes().Where(parameter => parameter.Facts.IsRotated)
            .Select(parameter => parameter.Name.Split('.')[^2]).Distinct());
        Assert.Equal(["c_attn"], Gpt2Tiny.ParameterShapes().Where(parameter => parameter.Facts.Parts == 3)
            .Select(parameter => parameter.Name.Split('.')[^2]).Distinct());
    }

    [Fact]
    public void Vectors_do_not_decay_and_matrices_do()
    {
        foreach (var (_, shape, facts) in Gpt2Tiny.ParameterShapes().Concat(LlamaTiny.ParameterShapes()))
            Assert.Equal(shape.Rank >= 2, facts.Decays);
    }
}

/*
 * Box2D moves what is in a yard, in one world after the other, as the levels of a game: a ground of
 * hills, a wall of boxes, chains, and balls that are thrown in and taken away again. Prints where
 * things are. Memory that is full is an address 0 to Box2D, which it does not look at.
 */
#include <cstdio>
#include <deque>
#include <memory>
#include "box2d/box2d.h"
#include "random.h"

namespace {

constexpr int levels = 6, steps = 90;

float between(float low, float high) {
  return low + (high - low) * float(random_below(1000)) / 1000.0f;
}

void make_ground(b2World &world) {
  b2BodyDef definition;
  b2Body *ground = world.CreateBody(&definition);
  b2Vec2 hills[64];
  for (int i = 0; i < 64; ++i)
    hills[i].Set(float(64 - 2 * i), between(-1, 1));
  b2ChainShape chain;
  chain.CreateChain(hills, 64, b2Vec2(66, 0), b2Vec2(-64, 0));
  ground->CreateFixture(&chain, 0);
}

b2Body *make_body(b2World &world, const b2Shape &shape, float x, float y) {
  b2BodyDef definition;
  definition.type = b2_dynamicBody;
  definition.position.Set(x, y);
  b2Body *body = world.CreateBody(&definition);
  b2FixtureDef fixture;
  fixture.shape = &shape;
  fixture.density = 1;
  fixture.friction = 0.6f;
  body->CreateFixture(&fixture);
  return body;
}

void make_wall(b2World &world, int width, int height) {
  b2PolygonShape box;
  box.SetAsBox(0.5f, 0.5f);
  for (int row = 0; row < height; ++row)
    for (int column = 0; column < width; ++column)
      make_body(world, box, float(column) * 1.05f - float(width) / 2, 2 + float(row) * 1.05f);
}

void make_chain(b2World &world, float x, int links) {
  b2PolygonShape link;
  link.SetAsBox(0.4f, 0.1f);
  b2BodyDef hook;
  hook.position.Set(x, 20);
  b2Body *previous = world.CreateBody(&hook);
  for (int i = 0; i < links; ++i) {
    b2Body *body = make_body(world, link, x + float(i) + 0.5f, 20);
    b2RevoluteJointDef joint;
    joint.Initialize(previous, body, b2Vec2(x + float(i), 20));
    world.CreateJoint(&joint);
    previous = body;
  }
}

/* A world and what became of it. */
void play(int level) {
  /* Too large for the stack. */
  const auto owner = std::make_unique<b2World>(b2Vec2(0, -10));
  b2World &world = *owner;
  make_ground(world);
  make_wall(world, 8 + level, 8 + level);
  for (int i = 0; i < level; ++i)
    make_chain(world, float(10 * i - 40), 12);
  std::deque<b2Body *> balls;
  b2CircleShape ball;
  int contacts = 0;
  for (int step = 0; step < steps; ++step) {
    ball.m_radius = between(0.2f, 0.6f);
    balls.push_back(make_body(world, ball, between(-30, 30), between(10, 25)));
    balls.back()->SetLinearVelocity(b2Vec2(between(-9, 9), between(-9, 0)));
    if (balls.size() > 40) {
      world.DestroyBody(balls.front());
      balls.pop_front();
    }
    world.Step(1.0f / 60, 8, 3);
    contacts += world.GetContactCount();
  }
  float x = 0, y = 0;
  for (const b2Body *body = world.GetBodyList(); body; body = body->GetNext()) {
    x += body->GetPosition().x;
    y += body->GetPosition().y;
  }
  std::printf("%d bodies, %d contacts, (%.2f, %.2f)\n", world.GetBodyCount(), contacts, x, y);
}

} // namespace

int main() {
  for (int level = 0; level < levels; ++level)
    play(level);
  return 0;
}
